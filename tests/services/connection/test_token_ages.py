"""How old the tokens are, in seconds."""

from services.connection.token_ages import TokenAges
from tests.services.conftest import System

DAY = 86_400


def test_ages_run_from_the_last_new_pair(system: System) -> None:
    """An hour after connecting both tokens are an hour old, and the access token ends 23 hours later."""
    connected_at = system.clock.now
    system.clock.now += 3_600_000
    ages = system.connection.read().tokens
    assert ages == TokenAges(
        access_age=3_600,
        access_ends_in=DAY - 3_600,
        refresh_age=3_600,
        refresh_unused_for=3_600,
        last_success_at=connected_at,
        failures=0,
        last_error=None,
        retry_in=None,
    )


def test_a_refresh_token_that_stays_gets_older_and_is_used_anew(system: System) -> None:
    """A refresh that returns no new refresh token ends its idleness and not its age."""
    system.clock.now += DAY * 1000
    now = system.clock.now
    system.connections.store_refreshed(
        generation=system.connections.read().generation,
        access_sealed="sealed",
        refresh_sealed=None,
        access_issued_at=now,
        access_expires_at=now + DAY * 1000,
        scope=None,
        now=now,
    )
    ages = system.connection.read().tokens
    assert (ages.access_age, ages.refresh_age, ages.refresh_unused_for) == (0, DAY, 0)


def test_a_failure_is_told_with_the_time_before_the_next_try(system: System) -> None:
    """Count and reason stay until a success; the time of the next try is given only while it is ahead."""
    system.connections.record_failure(
        generation=system.connections.read().generation,
        state="refresh_failing",
        error="No answer.",
        next_refresh_at=system.clock.now + 30_000,
    )
    ages = system.connection.read().tokens
    assert (ages.failures, ages.last_error, ages.retry_in) == (1, "No answer.", 30)
    system.clock.now += 30_000
    ages = system.connection.read().tokens
    assert (ages.last_error, ages.retry_in) == ("No answer.", None)


def test_an_access_token_that_is_over_ended_in_the_past(system: System) -> None:
    """The remaining time of an expired token is negative."""
    system.clock.now += (DAY + 60) * 1000
    assert system.connection.read().tokens.access_ends_in == -60


def test_without_tokens_there_are_no_ages(system: System) -> None:
    """After a disconnect there is no last success and no age."""
    system.connections.disconnect(now=system.clock.now)
    ages = system.connection.read().tokens
    assert ages == TokenAges(None, None, None, None, None, 0, None, None)
