"""A process that dies or stops in the middle of a refresh, and those that go on."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from oauth.margins import LEASE_MS
from tests.oauth.processes.conftest import Stored, Vendor
from tests.oauth.processes.members import Member, Time


@pytest.mark.parametrize(
    ("moment", "grace_seconds", "grace_hits"),
    [("after", 30, 1), ("before", 0, 0)],
    ids=["answered", "unsent"],
)
def test_a_process_killed_in_a_refresh_is_replaced_within_one_lease(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
    moment: str,
    grace_seconds: int,
    grace_hits: int,
) -> None:
    """SIGKILL between answer and write, or before the send: another one asks when the lease is over.

    After the answer it is the vendor's grace that saves the connection; unsent, the token needs none.
    """
    vendor.control(grace_seconds=grace_seconds)
    connect()
    clock.advance(86_400)
    doomed = member(mishap=(moment, signal.SIGKILL))
    began = clock.ours()
    doomed.begin("tend")
    assert doomed.exit_code() == -signal.SIGKILL
    assert stored.row().attempt_started_at is not None
    other = member()
    while other.do("current") == "RefreshUnavailable":
        assert clock.ours() - began < LEASE_MS
    assert LEASE_MS <= clock.ours() - began < LEASE_MS + 5_000
    assert other.do("call_the_api", 1, 1) == []
    assert (stored.row().state, stored.row().generation) == ("connected", 2)
    assert stored.refresh_token() == vendor.newest()
    assert vendor.world.tokens.grace_hits == grace_hits
    assert vendor.nothing_was_reused()


def test_a_process_that_sleeps_through_its_lease_overwrites_nothing(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """SIGSTOP between answer and write; another takes over; what the first one then has is dropped."""
    vendor.control(grace_seconds=30)
    connect()
    clock.advance(86_400)
    sleeper, other = member(mishap=("after", signal.SIGSTOP)), member()
    sleeper.begin("current")
    sleeper.wait_until_paused()
    clock.advance(LEASE_MS / 1000)
    token = other.do("current")
    kept = stored.row()
    assert kept.generation == 2
    sleeper.go_on()
    assert sleeper.outcome() == token
    assert stored.row() == kept
    assert stored.refresh_token() == vendor.newest()
    assert (len(vendor.refreshes()), vendor.world.tokens.grace_hits) == (2, 1)
    clock.advance(86_400)
    assert sleeper.do("call_the_api", 1, 1) == []
    assert (stored.row().state, stored.row().generation) == ("connected", 3)
    assert vendor.nothing_was_reused()
