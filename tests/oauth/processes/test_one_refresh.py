"""Many processes want a new token at one moment: one of them asks for it."""

from dataclasses import replace

import psycopg
import pytest

from tests.oauth.processes.conftest import ENGINES, POOLED, Here
from tests.oauth.processes.members import Member, Place
from tests.oauth.processes.pooler import pooled

PROCESSES, THREADS, EXPIRIES = 4, 8, 3
HOURS = 3_600


@pytest.mark.parametrize("url", [*ENGINES, POOLED], indirect=True)
def test_a_token_that_is_over_is_refreshed_once_and_no_call_fails(here: Here) -> None:
    """4 processes of 8 threads, no grace for a superseded token; the vendor takes the old one no more."""
    here.vendor.control(access_token_seconds=10)
    here.connect()
    members = [here.member(waits_for_real=True) for _ in range(PROCESSES)]
    assert [each.do("call_the_api", THREADS, 1) for each in members] == [[]] * PROCESSES
    # Long enough for every thread to ask while the one refresh is under way.
    here.vendor.fault(delay=0.3)
    for expiry in range(1, EXPIRIES + 1):
        here.clock.advance(10)
        assert not here.vendor.accepts(here.stored.access_token())
        before = len(here.vendor.calls())
        for each in members:
            each.begin("call_the_api", THREADS, 3)
        assert [each.outcome() for each in members] == [[]] * PROCESSES
        calls = [call for call in here.vendor.calls()[before:] if call["path"].startswith("/v3/")]
        assert {call["status"] for call in calls} == {200}
        assert len(calls) == PROCESSES * THREADS * 3
        assert len({call["bearer"] for call in calls}) == 1
        assert len(here.vendor.refreshes()) == expiry
    assert here.stored.row().generation == 1 + EXPIRIES
    assert here.stored.refresh_token() == here.vendor.newest()
    assert (here.vendor.world.tokens.grace_hits, here.vendor.world.tokens.reuse_revocations) == (0, 0)


def test_two_ticks_of_cron_at_one_moment_make_one_refresh(here: Here) -> None:
    """Day after day, in two processes; both find the refresh due and one makes it."""
    here.connect()
    ticks = [here.member(waits_for_real=True) for _ in range(2)]
    here.vendor.fault(delay=0.2)
    for day in range(1, 6):
        here.clock.advance(23 * HOURS)
        for tick in ticks:
            tick.begin("tend")
        for tick in ticks:
            tick.outcome()
        assert len(here.vendor.refreshes()) == day
    assert (here.stored.row().state, here.stored.row().generation) == ("connected", 6)
    assert here.stored.refresh_token() == here.vendor.newest()
    assert here.vendor.nothing_was_reused()


@pytest.mark.postgresql
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_nothing_is_sent_while_the_pool_is_exhausted(here: Here, url: str, place: Place) -> None:
    """A lease that cannot be taken is no leave to ask; when the pool has room again, all is well."""
    here.connect()
    here.clock.advance(24 * HOURS)
    with pooled(url, servers=1, wait_seconds=1) as through:
        member = Member(replace(place, url=through))
        try:
            with psycopg.connect(through) as other:
                other.execute("SELECT 1")
                assert member.do("current") == "StoreUnavailable"
                assert member.do("tend") is None
                assert member.do("refresh_now") == "StoreUnavailable"
                assert here.vendor.refreshes() == []
            assert member.do("call_the_api", 1, 1) == []
        finally:
            member.close()
    row = here.stored.row()
    assert (row.state, row.generation, row.failures, len(here.vendor.refreshes())) == ("connected", 2, 0, 1)
