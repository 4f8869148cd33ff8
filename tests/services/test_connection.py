"""The connection in words, and whether sending makes sense."""

from __future__ import annotations

import pytest

from services.connection import WORDS
from tests.services.conftest import House

DAY = 86_400_000


def fail(house: House, state: str, *, next_refresh_at: int | None = None) -> None:
    row = house.connections.read()
    house.connections.record_failure(
        generation=row.generation, state=state, error="why", next_refresh_at=next_refresh_at
    )


@pytest.mark.parametrize("state", ["refresh_failing", "credentials_rejected", "needs_reauthorization"])
def test_a_valid_access_token_is_used_until_it_ends(house: House, state: str) -> None:
    """Whatever became of refreshing, the token in hand is good for its lifetime."""
    fail(house, state)
    assert house.connection.usable()
    house.clock.now += DAY + 1
    assert house.connection.usable() is (state != "needs_reauthorization")


def test_without_a_token_nothing_is_tried_before_the_next_refresh_is_due(house: House) -> None:
    """The keeper's back-off is obeyed by the delivery."""
    house.clock.now += DAY + 1
    fail(house, "refresh_failing", next_refresh_at=house.clock.now + 30_000)
    assert not house.connection.usable()
    house.clock.now += 30_000
    assert house.connection.usable()


def test_a_disconnected_service_sends_nothing(house: House) -> None:
    """No token, no call."""
    house.connections.disconnect(now=house.clock.now)
    assert not house.connection.usable()


def test_every_state_has_its_sentences(house: House) -> None:
    """What happened, whether sign-ups are safe, and what to press."""
    view = house.connection.read()
    assert (view.state, view.action) == ("connected", None)
    for state in WORDS:
        if state != "connected":
            fail(house, state)
            view = house.connection.read()
            assert view.state == state
            assert "safe" in view.safe
    assert WORDS["needs_reauthorization"][1]
