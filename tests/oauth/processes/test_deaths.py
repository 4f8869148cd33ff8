"""A process that dies or stops in the middle of a refresh, and those that go on."""

import signal

import pytest

from oauth.refresh.schedule import LEASE_MS
from tests.oauth.processes.conftest import Here


@pytest.mark.parametrize(
    ("moment", "grace_seconds", "grace_hits"),
    [("after", 30, 1), ("before", 0, 0)],
    ids=["answered", "unsent"],
)
def test_a_process_killed_in_a_refresh_is_replaced_within_one_lease(
    here: Here, moment: str, grace_seconds: int, grace_hits: int
) -> None:
    """SIGKILL between answer and write, or before the send: another one asks when the lease is over.

    After the answer it is the vendor's grace that saves the connection; unsent, the token needs none.
    """
    here.vendor.control(grace_seconds=grace_seconds)
    here.connect()
    here.clock.advance(86_400)
    doomed = here.member(mishap=(moment, signal.SIGKILL))
    began = here.clock.ours()
    doomed.begin("tend")
    assert doomed.exit_code() == -signal.SIGKILL
    assert here.stored.row().attempt_started_at is not None
    other = here.member()
    while other.do("current") == "RefreshUnavailable":
        assert here.clock.ours() - began < LEASE_MS
    assert LEASE_MS <= here.clock.ours() - began < LEASE_MS + 5_000
    assert other.do("call_the_api", 1, 1) == []
    assert (here.stored.row().state, here.stored.row().generation) == ("connected", 2)
    assert here.stored.refresh_token() == here.vendor.newest()
    assert here.vendor.world.tokens.grace_hits == grace_hits
    assert here.vendor.nothing_was_reused()


def test_a_process_that_sleeps_through_its_lease_overwrites_nothing(here: Here) -> None:
    """SIGSTOP between answer and write; another takes over; what the first one then has is dropped."""
    here.vendor.control(grace_seconds=30)
    here.connect()
    here.clock.advance(86_400)
    sleeper, other = here.member(mishap=("after", signal.SIGSTOP)), here.member()
    sleeper.begin("current")
    sleeper.wait_until_paused()
    here.clock.advance(LEASE_MS / 1000)
    token = other.do("current")
    kept = here.stored.row()
    assert kept.generation == 2
    sleeper.go_on()
    assert sleeper.outcome() == token
    assert here.stored.row() == kept
    assert here.stored.refresh_token() == here.vendor.newest()
    assert (len(here.vendor.refreshes()), here.vendor.world.tokens.grace_hits) == (2, 1)
    here.clock.advance(86_400)
    assert sleeper.do("call_the_api", 1, 1) == []
    assert (here.stored.row().state, here.stored.row().generation) == ("connected", 3)
    assert here.vendor.nothing_was_reused()
