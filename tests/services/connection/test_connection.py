"""The connection in words, and whether sending makes sense."""

import pytest

from oauth.refresh.refreshing import REFUSED
from oauth.refresh.schedule import lasts
from services.connection.states import WORDS
from services.connection.status import ConnectionStatus
from tests.services.conftest import System

DAY = 86_400_000


def fail(system: System, state: str, *, next_refresh_at: int | None = None) -> None:
    row = system.connections.read()
    system.connections.record_failure(
        generation=row.generation, state=state, error="why", next_refresh_at=next_refresh_at
    )


@pytest.mark.parametrize("state", ["refresh_failing", "credentials_rejected", "needs_reauthorization"])
def test_a_valid_access_token_is_used_until_it_ends(system: System, state: str) -> None:
    """The access token is used for its lifetime, whatever became of refreshing."""
    fail(system, state)
    assert system.connection.usable()
    system.clock.now += DAY + 1
    assert system.connection.usable() is (state != "needs_reauthorization")


def test_without_a_token_nothing_is_tried_before_the_next_refresh_is_due(system: System) -> None:
    """The delivery waits as long as the pause between refreshes lasts."""
    system.clock.now += DAY + 1
    fail(system, "refresh_failing", next_refresh_at=system.clock.now + 30_000)
    assert not system.connection.usable()
    system.clock.now += 30_000
    assert system.connection.usable()


def test_a_disconnected_service_sends_nothing(system: System) -> None:
    """Without a token no call is made."""
    system.connections.disconnect(now=system.clock.now)
    assert not system.connection.usable()


def test_every_state_has_its_sentences(system: System) -> None:
    """Each state says what happened, whether sign-ups are safe, and what to press."""
    view = system.connection.read()
    assert (view.state, view.action) == ("connected", None)
    for state in WORDS:
        if state != "connected":
            fail(system, state)
            view = system.connection.read()
            assert view.state == state
            assert "safe" in view.safe
    assert WORDS["needs_reauthorization"][1]


def test_the_cause_of_a_refused_token_stands_in_the_sentence(system: System) -> None:
    """Where no answer was lost, another service has used the token; Connect alone does not help."""
    row = system.connections.read()
    system.connections.record_failure(
        generation=row.generation, state="needs_reauthorization", error=REFUSED, next_refresh_at=None
    )
    sentence = system.connection.read().sentence
    assert "another service probably uses the same application or the same refresh token" in sentence
    assert sentence in system.health.report().problems[0].sentence


def test_of_an_application_without_a_secret_that_may_be_what_is_missing(system: System) -> None:
    """Where no secret is set, the sentence says that it may be missing; other states are worded the same."""
    public = ConnectionStatus(system.connections, lasts=lasts, clock=system.clock, public_client=True)
    for state in WORDS:
        if state != "connected":
            fail(system, state)
        same = state != "credentials_rejected"
        assert (public.read().sentence == system.connection.read().sentence) is same
    fail(system, "credentials_rejected")
    (problem,) = public.read().problems()
    assert "set CONSTANT_CONTACT_CLIENT_SECRET unless" in problem.sentence
    assert not problem.public


@pytest.mark.parametrize("state", [state for state in WORDS if state != "connected"])
def test_a_problem_of_the_connection_has_a_code_and_strangers_learn_of_no_secret(
    system: System, state: str
) -> None:
    """The code names the state; problems about a key or a secret are not public."""
    fail(system, state)
    (problem,) = system.connection.read().problems()
    assert problem.code == f"connection_{state}"
    assert problem.sentence.startswith(WORDS[state][0])
    of_secrets = state in {"credentials_rejected", "undecryptable", "foreign_installation"}
    assert problem.public is not of_secrets


@pytest.mark.parametrize(("days", "warned"), [(59, None), (60, "After 180 days"), (151, "Soon")])
def test_an_idle_connection_is_warned_of(system: System, days: int, warned: str | None) -> None:
    """The vendor ends a refresh token after 180 unused days; a warning comes from the 60th day on."""
    system.clock.now += days * DAY
    view = system.connection.read()
    assert view.idle_days == days
    if warned is None:
        assert view.warning is None
    else:
        assert view.warning is not None
        assert warned in view.warning
        assert f"{days} days" in view.warning


@pytest.mark.parametrize("state", ["undecryptable", "foreign_installation"])
def test_what_must_not_be_used_is_not_used(system: System, state: str) -> None:
    """A copied database, or tokens that cannot be decrypted, send nothing."""
    row = system.connections.read()
    system.connections.note_state(generation=row.generation, state=state, error=None)
    assert not system.connection.usable()
    assert not system.connection.ready()


def test_a_planted_refresh_token_is_worth_trying(system: System) -> None:
    """There is no access token yet; the first call gets one by refreshing."""
    system.connections.disconnect(now=system.clock.now)
    system.connections.plant_seed(refresh_sealed="s", seed_hash="h", fingerprint="f", now=system.clock.now)
    assert system.connection.usable()
    assert not system.connection.ready()
