"""The vendor is away, the clock is wrong, the database has gone back: what processes make of it together."""

import signal
from itertools import pairwise

from oauth.refresh.refreshing import REFUSED
from oauth.refresh.schedule import FORCED_REFRESH_MS, LEASE_MS
from tests.oauth.processes.conftest import Here
from tests.oauth.processes.members import fingerprint

HOURS = 3_600
LIFE = 24 * HOURS


def test_an_hour_of_503_costs_no_call_and_ends_with_the_same_token(here: Here) -> None:
    """All processes keep to one stored pause; the access token serves on; the refresh token is unspent."""
    here.connect()
    first_token = here.stored.refresh_token()
    members = [here.member() for _ in range(2)]
    here.clock.advance(LIFE - 2 * HOURS)
    here.vendor.fault(status=503)
    for _ in range(60):
        for each in members:
            each.do("tend")
            assert each.do("call_the_api", 1, 1) == []
        here.clock.advance(60)
    row = here.stored.row()
    assert (row.state, row.generation, row.outcome_unknown) == ("refresh_failing", 1, True)
    here.vendor.heal()
    here.clock.advance(18 * 60)
    for each in members:
        each.do("tend")
    assert (here.stored.row().state, here.stored.row().generation) == ("connected", 2)
    tries = here.vendor.refreshes()
    assert {call["body"]["refresh_token"] for call in tries} == {first_token}
    assert [call["status"] for call in tries] == [503] * (len(tries) - 1) + [200]
    # The first try is repeated at once; then come pauses of 30 s, 1, 2, 5 and 15 min, 20 % up or down.
    gaps = [later["time"] - earlier["time"] for earlier, later in pairwise(tries[1:])]
    for gap, pause in zip(gaps, (30, 60, 120, 300, 900, 900, 900), strict=False):
        assert gap >= pause * 0.8
    assert 7 <= len(tries) <= 11


def test_a_clock_that_is_set_wrong_costs_one_forced_refresh_in_five_minutes(here: Here) -> None:
    """26 h ahead, 26 h behind; where the vendor refuses a token that looks good, the 401 mends it."""
    here.connect()
    # Slow enough that the other process asks while the one refresh is under way.
    here.vendor.fault(delay=0.6)
    members = [here.member(waits_for_real=True) for _ in range(2)]

    def failures() -> list[str]:
        for each in members:
            each.begin("call_the_api", 4, 2)
        return [failure for each in members for failure in each.outcome()]

    assert (failures(), len(here.vendor.refreshes())) == ([], 0)
    here.clock.step_our_clock(26 * HOURS)
    assert (failures(), len(here.vendor.refreshes())) == ([], 1)
    here.clock.step_our_clock(-52 * HOURS)
    assert (failures(), len(here.vendor.refreshes())) == ([], 1)
    # The token is over, and our clock gives it two days more.
    here.clock.advance(LIFE)
    assert not here.vendor.accepts(here.stored.access_token())
    assert (failures(), len(here.vendor.refreshes())) == ([], 2)
    assert here.stored.row().forced_at is not None
    # Refused again at once: nobody asks for a third token before five minutes are over.
    here.vendor.world.advanced += LIFE
    assert (set(failures()), len(here.vendor.refreshes())) == ({"RefreshUnavailable"}, 2)
    here.clock.advance(FORCED_REFRESH_MS / 1000)
    assert (failures(), len(here.vendor.refreshes())) == ([], 3)
    assert here.stored.row().state == "connected"
    assert here.vendor.nothing_was_reused()


def test_a_clock_that_is_set_during_a_run_fails_no_call(here: Here) -> None:
    """Forward by 26 h makes the token look over: one refresh; backward makes none."""
    here.connect()
    members = [here.member(waits_for_real=True) for _ in range(2)]
    for each in members:
        each.begin("call_the_api", 4, 50)
    for hours in (26, -52, 26):
        here.vendor.wait_for_more_calls(40)
        here.clock.step_our_clock(hours * HOURS)
    assert [each.outcome() for each in members] == [[], []]
    assert len(here.vendor.refreshes()) == 1
    assert here.stored.refresh_token() == here.vendor.newest()


def test_long_lived_refresh_tokens_survive_a_lost_answer_a_crash_and_an_older_database(here: Here) -> None:
    """The other type of application: its token stays the same, so that nothing can be lost with an answer."""
    here.vendor.control(refresh_tokens="long_lived")
    here.connect()
    first, token, survivor = here.stored.row(), here.stored.refresh_token(), here.member()

    here.clock.advance(LIFE)
    here.vendor.fault(times=2, drop="after")
    assert survivor.do("current") == "RefreshUnavailable"
    assert here.stored.row().outcome_unknown
    here.clock.advance(60)
    assert survivor.do("call_the_api", 1, 1) == []

    here.clock.advance(LIFE)
    doomed = here.member(mishap=("after", signal.SIGKILL))
    doomed.begin("tend")
    assert doomed.exit_code() == -signal.SIGKILL
    here.clock.advance(LEASE_MS / 1000)
    assert survivor.do("call_the_api", 1, 1) == []

    here.stored.put_back(first)
    here.clock.advance(HOURS)
    assert survivor.do("call_the_api", 1, 1) == []
    assert (here.stored.row().state, here.stored.refresh_token()) == ("connected", token)
    assert here.vendor.nothing_was_reused()


def test_a_failover_that_lost_the_last_commit_is_mended_by_one_replay_within_the_grace(here: Here) -> None:
    """The row is back at a superseded token; while the vendor honours that, nobody notices."""
    here.vendor.control(grace_seconds=30)
    here.connect()
    members, before = [here.member(waits_for_real=True) for _ in range(2)], here.stored.row()
    here.clock.advance(LIFE)
    assert members[0].do("call_the_api", 1, 1) == []
    here.stored.put_back(before)
    here.clock.advance(5)
    assert [each.do("call_the_api", 4, 2) for each in reversed(members)] == [[], []]
    assert (len(here.vendor.refreshes()), here.vendor.world.tokens.grace_hits) == (2, 1)
    # Also in the process that knew the lost token: the new one is another of the same generation.
    newest = fingerprint(here.stored.access_token())
    assert [each.do("current") for each in members] == [newest, newest]
    here.clock.advance(LIFE)
    assert [each.do("call_the_api", 1, 1) for each in members] == [[], []]
    assert (here.stored.row().state, here.stored.refresh_token()) == ("connected", here.vendor.newest())
    assert here.vendor.nothing_was_reused()


def test_an_older_backup_is_tried_once_and_then_waits_for_a_person(here: Here) -> None:
    """Beyond the grace the vendor refuses for good: one call, its reason on record, no process ends."""
    here.connect()
    members, before = [here.member(waits_for_real=True) for _ in range(2)], here.stored.row()
    here.clock.advance(LIFE)
    assert members[0].do("call_the_api", 1, 1) == []
    here.stored.put_back(before)
    here.clock.advance(60)
    for each in members:
        each.begin("call_the_api", 4, 1)
    assert {failure for each in members for failure in each.outcome()} == {"NeedsReauthorization"}
    assert (here.stored.row().state, here.stored.row().last_error) == ("needs_reauthorization", REFUSED)
    for _ in range(20):
        here.clock.advance(6 * HOURS)
        for each in members:
            each.do("tend")
            assert each.do("current") == "NeedsReauthorization"
    assert [call["status"] for call in here.vendor.refreshes()] == [200, 400]
    members[1].do("come_back", members[1].do("press_connect"), here.vendor.code())
    assert [each.do("call_the_api", 1, 1) for each in members] == [[], []]
    assert here.stored.row().state == "connected"
