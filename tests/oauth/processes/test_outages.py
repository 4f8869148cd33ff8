"""The vendor is away, the clock is wrong, the database has gone back: what processes make of it together."""

from __future__ import annotations

import signal
from collections.abc import Callable
from itertools import pairwise

from oauth.margins import FORCED_REFRESH_MS, LEASE_MS
from oauth.refreshing import REFUSED
from tests.oauth.processes.conftest import Stored, Vendor
from tests.oauth.processes.members import Member, Time, fingerprint

HOURS = 3_600
LIFE = 24 * HOURS


def test_an_hour_of_503_costs_no_call_and_ends_with_the_same_token(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """All processes keep to one stored pause; the access token serves on; the refresh token is unspent."""
    connect()
    first_token = stored.refresh_token()
    members = [member() for _ in range(2)]
    clock.advance(LIFE - 2 * HOURS)
    vendor.fault(status=503)
    for _ in range(60):
        for each in members:
            each.do("tend")
            assert each.do("call_the_api", 1, 1) == []
        clock.advance(60)
    row = stored.row()
    assert (row.state, row.generation, row.outcome_unknown) == ("refresh_failing", 1, True)
    vendor.heal()
    clock.advance(18 * 60)
    for each in members:
        each.do("tend")
    assert (stored.row().state, stored.row().generation) == ("connected", 2)
    tries = vendor.refreshes()
    assert {call["body"]["refresh_token"] for call in tries} == {first_token}
    assert [call["status"] for call in tries] == [503] * (len(tries) - 1) + [200]
    # The first try is repeated at once; then come pauses of 30 s, 1, 2, 5 and 15 min, 20 % up or down.
    gaps = [later["time"] - earlier["time"] for earlier, later in pairwise(tries[1:])]
    for gap, pause in zip(gaps, (30, 60, 120, 300, 900, 900, 900), strict=False):
        assert gap >= pause * 0.8
    assert 7 <= len(tries) <= 11


def test_a_clock_that_is_set_wrong_costs_one_forced_refresh_in_five_minutes(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """26 h ahead, 26 h behind; where the vendor refuses a token that looks good, the 401 mends it."""
    connect()
    # Slow enough that the other process asks while the one refresh is under way.
    vendor.fault(delay=0.6)
    members = [member(waits_for_real=True) for _ in range(2)]

    def failures() -> list[str]:
        for each in members:
            each.begin("call_the_api", 4, 2)
        return [failure for each in members for failure in each.outcome()]

    assert (failures(), len(vendor.refreshes())) == ([], 0)
    clock.step_our_clock(26 * HOURS)
    assert (failures(), len(vendor.refreshes())) == ([], 1)
    clock.step_our_clock(-52 * HOURS)
    assert (failures(), len(vendor.refreshes())) == ([], 1)
    # The token is over, and our clock gives it two days more.
    clock.advance(LIFE)
    assert not vendor.accepts(stored.access_token())
    assert (failures(), len(vendor.refreshes())) == ([], 2)
    assert stored.row().forced_at is not None
    # Refused again at once: nobody asks for a third token before five minutes are over.
    vendor.world.advanced += LIFE
    assert (set(failures()), len(vendor.refreshes())) == ({"RefreshUnavailable"}, 2)
    clock.advance(FORCED_REFRESH_MS / 1000)
    assert (failures(), len(vendor.refreshes())) == ([], 3)
    assert stored.row().state == "connected"
    assert vendor.nothing_was_reused()


def test_a_clock_that_is_set_during_a_run_fails_no_call(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """Forward by 26 h makes the token look over: one refresh; backward makes none."""
    connect()
    members = [member(waits_for_real=True) for _ in range(2)]
    for each in members:
        each.begin("call_the_api", 4, 50)
    for hours in (26, -52, 26):
        vendor.wait_for_more_calls(40)
        clock.step_our_clock(hours * HOURS)
    assert [each.outcome() for each in members] == [[], []]
    assert len(vendor.refreshes()) == 1
    assert stored.refresh_token() == vendor.newest()


def test_long_lived_refresh_tokens_survive_a_lost_answer_a_crash_and_an_older_database(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """The other type of application: its token stays the same, so that nothing can be lost with an answer."""
    vendor.control(refresh_tokens="long_lived")
    connect()
    first, token, survivor = stored.row(), stored.refresh_token(), member()

    clock.advance(LIFE)
    vendor.fault(times=2, drop="after")
    assert survivor.do("current") == "RefreshUnavailable"
    assert stored.row().outcome_unknown
    clock.advance(60)
    assert survivor.do("call_the_api", 1, 1) == []

    clock.advance(LIFE)
    doomed = member(mishap=("after", signal.SIGKILL))
    doomed.begin("tend")
    assert doomed.exit_code() == -signal.SIGKILL
    clock.advance(LEASE_MS / 1000)
    assert survivor.do("call_the_api", 1, 1) == []

    stored.put_back(first)
    clock.advance(HOURS)
    assert survivor.do("call_the_api", 1, 1) == []
    assert (stored.row().state, stored.refresh_token()) == ("connected", token)
    assert vendor.nothing_was_reused()


def test_a_failover_that_lost_the_last_commit_is_mended_by_one_replay_within_the_grace(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """The row is back at a superseded token; while the vendor honours that, nobody notices."""
    vendor.control(grace_seconds=30)
    connect()
    members, before = [member(waits_for_real=True) for _ in range(2)], stored.row()
    clock.advance(LIFE)
    assert members[0].do("call_the_api", 1, 1) == []
    stored.put_back(before)
    clock.advance(5)
    assert [each.do("call_the_api", 4, 2) for each in reversed(members)] == [[], []]
    assert (len(vendor.refreshes()), vendor.world.tokens.grace_hits) == (2, 1)
    # Also in the process that knew the lost token: the new one is another of the same generation.
    newest = fingerprint(stored.access_token())
    assert [each.do("current") for each in members] == [newest, newest]
    clock.advance(LIFE)
    assert [each.do("call_the_api", 1, 1) for each in members] == [[], []]
    assert (stored.row().state, stored.refresh_token()) == ("connected", vendor.newest())
    assert vendor.nothing_was_reused()


def test_an_older_backup_is_tried_once_and_then_waits_for_a_person(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """Beyond the grace the vendor refuses for good: one call, its reason on record, no process ends."""
    connect()
    members, before = [member(waits_for_real=True) for _ in range(2)], stored.row()
    clock.advance(LIFE)
    assert members[0].do("call_the_api", 1, 1) == []
    stored.put_back(before)
    clock.advance(60)
    for each in members:
        each.begin("call_the_api", 4, 1)
    assert {failure for each in members for failure in each.outcome()} == {"NeedsReauthorization"}
    assert (stored.row().state, stored.row().last_error) == ("needs_reauthorization", REFUSED)
    for _ in range(20):
        clock.advance(6 * HOURS)
        for each in members:
            each.do("tend")
            assert each.do("current") == "NeedsReauthorization"
    assert [call["status"] for call in vendor.refreshes()] == [200, 400]
    members[1].do("come_back", members[1].do("press_connect"), vendor.code())
    assert [each.do("call_the_api", 1, 1) for each in members] == [[], []]
    assert stored.row().state == "connected"
