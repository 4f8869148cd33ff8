"""The quota of calls: sliding second, UTC day, pauses."""

from datetime import UTC, datetime

import pytest

from store.engine.database import Database
from store.quota.ledger import QuotaLedger
from store.quota.refusals import Refused
from store.quota.state import PER_DAY, PER_SECOND, QuotaState
from tests.store.conftest import opening

NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
MIDNIGHT = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000


@pytest.fixture
def quota(database: Database) -> QuotaLedger:
    """Return a ledger whose clock shows no waiting for locks, so that calls are reserved at exactly `now`."""
    return QuotaLedger(database, monotonic=lambda: 0.0)


def spend_day(database: Database, used: int) -> None:
    """Set the day's count of calls to `used`."""
    with database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE budget SET used = {used}")


def test_never_more_than_four_calls_in_a_sliding_second(quota: QuotaLedger) -> None:
    """Asking every 10 ms, no second holds a fifth call, and bursts of four are allowed."""
    booked = [now for now in range(NOON, NOON + 4_000, 10) if opening(quota, now) is None]
    assert booked[:PER_SECOND] == [NOON, NOON + 10, NOON + 20, NOON + 30]
    fifths = zip(booked, booked[PER_SECOND:], strict=False)
    assert all(later - first >= 1_080 for first, later in fifths)
    assert len(booked) == 16


def test_refused_call_learns_when_to_ask_again(quota: QuotaLedger) -> None:
    """The named time is the first at which the call may start; a millisecond earlier it may not."""
    for offset in (0, 5, 6, 7):
        assert opening(quota, NOON + offset) is None
    assert opening(quota, NOON + 8) == NOON + 1_080
    assert opening(quota, NOON + 1_079) == NOON + 1_080
    assert opening(quota, NOON + 1_080) is None
    assert opening(quota, NOON + 1_081) == NOON + 1_085


def test_long_wait_for_the_lock_is_not_booked_in_the_past(database: Database) -> None:
    """A call that waited 3 s for the database is reserved for its start, not for the time it asked."""
    quota = QuotaLedger(database, monotonic=lambda: 0.0)
    ticks = iter([0.0, 3.0])
    assert opening(QuotaLedger(database, monotonic=lambda: next(ticks)), NOON) is None
    for offset in (3_001, 3_002, 3_003):
        assert opening(quota, NOON + offset) is None
    assert opening(quota, NOON + 3_004) == NOON + 3_000 + 1_080


def test_day_is_limited_and_begins_anew_at_midnight_utc(database: Database, quota: QuotaLedger) -> None:
    """Call 10,000 of a day is reserved, the next waits for 00:00 UTC, where counting starts again."""
    assert opening(quota, NOON) is None
    spend_day(database, PER_DAY - 1)
    assert opening(quota, NOON + 5_000) is None
    assert opening(quota, NOON + 10_000) == MIDNIGHT
    assert quota.read() == QuotaState("2026-03-01", PER_DAY, None, None, 0)
    assert opening(quota, MIDNIGHT - 1) == MIDNIGHT
    assert opening(quota, MIDNIGHT) is None
    assert quota.read() == QuotaState("2026-03-02", 1, None, None, 0)


def test_day_never_goes_backwards(database: Database, quota: QuotaLedger) -> None:
    """A clock set back over midnight does not grant a second quota."""
    assert opening(quota, MIDNIGHT) is None
    spend_day(database, PER_DAY)
    assert opening(quota, NOON) == MIDNIGHT + 24 * HOUR
    assert quota.read().day == "2026-03-02"


def test_clock_set_back_stalls_for_a_second_at_most(quota: QuotaLedger) -> None:
    """Call times that lie an hour ahead count as just now, once, and not until the clock catches up."""
    for offset in range(PER_SECOND):
        assert opening(quota, NOON + HOUR + offset) is None
    assert opening(quota, NOON) == NOON + 1_080
    assert opening(quota, NOON + 1_080) is None


def test_late_caller_does_not_loosen_the_window(quota: QuotaLedger) -> None:
    """A caller whose clock is a little behind does not move the others' calls into the past."""
    for offset in (100, 200, 300):
        assert opening(quota, NOON + offset) is None
    assert opening(quota, NOON) is None
    assert opening(quota, NOON + 310) == NOON + 1_180
    assert opening(quota, NOON + 1_180) is None
    assert opening(quota, NOON + 1_280) is None
    assert opening(quota, NOON + 1_370) == NOON + 1_380


def test_pause_is_shared_and_never_shortened(quota: QuotaLedger) -> None:
    """A shorter pause keeps the longer one and its reason, but counts as a failure."""
    quota.pause(until=NOON + 5_000, reason="quota")
    quota.pause(until=NOON + 1_000, reason="throttled")
    state = quota.read()
    assert (state.paused_until, state.pause_reason, state.failures) == (NOON + 5_000, "quota", 2)
    assert opening(quota, NOON + 4_999) == NOON + 5_000
    quota.pause(until=NOON + 9_000, reason="offline")
    assert quota.read().pause_reason == "offline"
    assert opening(quota, NOON + 9_000) is None


def test_resume_ends_the_pause(quota: QuotaLedger) -> None:
    """The pause is over and the failures are forgotten; the day's count stays."""
    assert opening(quota, NOON) is None
    quota.pause(until=NOON + 5_000, reason="offline")
    quota.resume()
    assert quota.read() == QuotaState("2026-03-01", 1, None, None, 0)


def test_a_success_ends_what_is_over_and_no_pause_that_lasts(quota: QuotaLedger) -> None:
    """A call that was under way when another exceeded the quota must not end the pause."""
    quota.pause(until=NOON + 5_000, reason="quota")
    quota.succeeded(NOON + 4_999)
    assert (quota.read().paused_until, quota.read().failures) == (NOON + 5_000, 1)
    quota.succeeded(NOON + 5_000)
    assert (quota.read().paused_until, quota.read().failures) == (None, 0)


def test_a_success_writes_nothing_when_nothing_failed(database: Database, quota: QuotaLedger) -> None:
    """The common case, one after each delivery, needs no write lock."""
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE budget SET used = used")
        quota.succeeded(NOON)


def test_two_databases_share_one_budget(database: Database, url: str) -> None:
    """A second process's object sees the first one's calls."""
    other = Database(url)
    try:
        for offset in range(PER_SECOND):
            books = QuotaLedger(other if offset % 2 else database, monotonic=lambda: 0.0)
            assert opening(books, NOON + offset) is None
        assert opening(QuotaLedger(other, monotonic=lambda: 0.0), NOON + 9) == NOON + 1_080
    finally:
        other.close()


def test_throttling_is_answered_with_a_short_pause_and_a_wider_guard(quota: QuotaLedger) -> None:
    """All calls pause for 1.5 s, no failure is counted, no probe is needed, and the margin is wider."""
    quota.throttled(NOON)
    assert opening(quota, NOON + 1_499) == NOON + 1_500
    state = quota.read()
    assert (state.failures, state.guard_ms, state.pause_reason) == (
        0,
        140,
        "Constant Contact asked for fewer calls.",
    )
    assert [opening(quota, NOON + 1_500) for _ in range(PER_SECOND)] == [None] * PER_SECOND
    opens_at = opening(quota, NOON + 1_501)
    assert opens_at is not None
    assert 1_130 < opens_at - (NOON + 1_500) <= 1_140


def test_guard_grows_to_a_second_and_shrinks_again(quota: QuotaLedger) -> None:
    """Each throttling widens the margin by half and 20 ms; it shrinks by 5 % a minute, down to 80 ms."""
    grown = []
    for _ in range(7):
        quota.throttled(NOON)
        grown.append(quota.read().guard_ms)
    assert grown == [140, 230, 365, 567, 870, 1_000, 1_000]
    minute = 60_000
    state = quota.read()
    assert [state.margin_at(NOON + minutes * minute) for minutes in (0, 1, 2, 48, 50, 600)] == [
        1_000,
        950,
        902,
        85,
        80,
        80,
    ]
    quota.throttled(NOON + 2 * minute)
    assert quota.read().guard_ms == 1_000
    quota.throttled(NOON + 600 * minute)
    assert quota.read().guard_ms == 140


def test_throttling_leaves_a_longer_pause(quota: QuotaLedger) -> None:
    """Its pause of 1.5 s does not shorten one for another reason."""
    quota.pause(until=NOON + 60_000, reason="offline")
    quota.throttled(NOON)
    assert (quota.read().paused_until, quota.read().pause_reason) == (NOON + 60_000, "offline")


def test_exceeded_quota_ends_the_day_and_is_followed_by_one_probe(quota: QuotaLedger) -> None:
    """Others use the same API key, so the vendor's answer counts; after the pause one call is the probe."""
    assert opening(quota, NOON) is None
    quota.quota_exceeded(NOON + 1, MIDNIGHT + 7_000)
    assert quota.read().used == PER_DAY
    assert opening(quota, NOON + 2_000) == MIDNIGHT + 7_000
    assert opening(quota, MIDNIGHT + 7_000) is None
    assert opening(quota, MIDNIGHT + 7_001) == MIDNIGHT + 27_000
    quota.succeeded(MIDNIGHT + 7_100)
    assert opening(quota, MIDNIGHT + 7_101) is None
    assert (quota.read().day, quota.read().used) == ("2026-03-02", 2)


def test_quota_that_is_to_be_asked_again_soon_leaves_the_count(quota: QuotaLedger) -> None:
    """An answer just after midnight, by a vendor whose clock is behind, must not cost the new day."""
    quota.quota_exceeded(MIDNIGHT + 100, MIDNIGHT + 300_000)
    assert quota.read().used == 0
    assert opening(quota, MIDNIGHT + 300_000) is None


def test_noted_call_counts_and_is_never_refused(database: Database, quota: QuotaLedger) -> None:
    """A call that goes out in any case counts in the second and in the day."""
    for _ in range(PER_SECOND + 1):
        quota.count_call(NOON)
    assert quota.read().used == PER_SECOND + 1
    assert opening(quota, NOON + 1_079) == NOON + 1_080
    spend_day(database, PER_DAY)
    quota.count_call(NOON + 2_000)
    assert quota.read().used == PER_DAY + 1
    quota.pause(until=NOON + 60_000, reason="401")
    quota.count_call(NOON + 3_000)
    assert quota.read().used == PER_DAY + 2


def test_after_an_outage_one_call_probes(quota: QuotaLedger) -> None:
    """The others wait for the probe's outcome, but no longer than 20 s: its process may have died."""
    quota.pause(until=NOON, reason="offline")
    assert opening(quota, NOON) is None
    assert quota.read().probing(NOON + 19_999)
    assert opening(quota, NOON + 1) == NOON + 20_000
    assert opening(quota, NOON + 20_000) is None
    assert opening(quota, NOON + 20_001) == NOON + 40_000


def test_a_probes_own_further_calls_do_not_wait_for_it(quota: QuotaLedger) -> None:
    """A delivery may take more than one call; they do not prolong the probe."""
    quota.pause(until=NOON, reason="offline")
    assert opening(quota, NOON) is None
    assert opening(quota, NOON + 1, own_probe=True) is None
    assert quota.read().probe_until == NOON + 20_000


def test_probe_that_succeeds_sets_everybody_free(quota: QuotaLedger) -> None:
    """Calls go out at once, and the failures are forgotten."""
    quota.pause(until=NOON, reason="offline")
    assert opening(quota, NOON) is None
    quota.succeeded(NOON + 100)
    assert [opening(quota, NOON + 101) for _ in range(3)] == [None] * 3
    state = quota.read()
    assert (state.failures, state.paused_until, state.probe_until) == (0, None, None)


def test_probe_that_fails_is_followed_by_a_pause_and_the_next_probe(quota: QuotaLedger) -> None:
    """The pause replaces the rest of the 20 s."""
    quota.pause(until=NOON, reason="offline")
    assert opening(quota, NOON) is None
    quota.pause(until=NOON + 2_000, reason="still offline")
    assert quota.read().failures == 2
    assert opening(quota, NOON + 1_999) == NOON + 2_000
    assert opening(quota, NOON + 2_000) is None
    assert opening(quota, NOON + 2_001) == NOON + 22_000


def test_calls_that_fail_together_count_as_one_failure(quota: QuotaLedger) -> None:
    """Eight calls under way when the vendor becomes unreachable do not double the first gap eight times."""
    for late in range(8):
        quota.pause(until=NOON + 1_000 + late, reason="offline", now=NOON + late)
    assert (quota.read().failures, quota.read().paused_until) == (1, NOON + 1_007)
    quota.pause(until=NOON + 9_000, reason="offline", now=NOON + 2_000)
    assert quota.read().failures == 2


def test_failure_during_the_rest_after_throttling_counts(quota: QuotaLedger) -> None:
    """The pause after throttling is none for failures: a probe must follow this failure."""
    quota.throttled(NOON)
    quota.pause(until=NOON + 1_000, reason="offline", now=NOON + 10)
    assert quota.read().failures == 1


def refuse(quota: QuotaLedger, words: str, contact: str) -> int:
    refusal = Refused.of(contact, 1, words, {"list:a"})
    return len(quota.refused(refusal, control=True).alike)


def test_refusals_are_counted_by_different_contacts_in_a_row(quota: QuotaLedger) -> None:
    """The same contact counts once, and refusals in other words are counted apart."""
    assert [refuse(quota, "400", contact) for contact in ("a", "b", "a", "c")] == [1, 2, 2, 3]
    assert refuse(quota, "other", "d") == 1
    assert refuse(quota, "400", "e") == 4
    assert quota.refused(Refused.of("e", 1, "400", ()), control=True).again


def test_success_ends_the_row_of_refusals(quota: QuotaLedger) -> None:
    """Also during a pause for another reason, which the success does not end."""
    refuse(quota, "400", "a")
    quota.succeeded(NOON)
    assert refuse(quota, "400", "b") == 1
    quota.pause(until=NOON + 5_000, reason="quota")
    quota.succeeded(NOON)
    assert refuse(quota, "400", "c") == 1
    assert quota.read().paused_until == NOON + 5_000


def test_success_ends_a_pause_for_what_was_refused(quota: QuotaLedger) -> None:
    """Not all sign-ups are refused, as the success of one that came in meanwhile shows."""
    refuse(quota, "400", "a")
    quota.pause(until=NOON + 5_000, reason="refused", now=NOON, refused=True)
    quota.succeeded(NOON + 1)
    assert (quota.read().paused_until, quota.read().failures) == (None, 0)


def test_refusals_keep_no_address(database: Database, quota: QuotaLedger) -> None:
    """Erasing a person does not look into the quota's row."""
    refuse(quota, "400", "ada@example.org")
    with database.reading() as connection:
        found = str(connection.exec_driver_sql("SELECT refusals FROM budget").scalar())
    assert "list:a" in found
    assert "ada@" not in found


def test_clock_set_back_shortens_a_pause_by_as_much(quota: QuotaLedger) -> None:
    """An hour's jump does not make an hour out of a minute's pause, nor of a probe's 20 s."""
    for offset in range(PER_SECOND):
        assert opening(quota, NOON + HOUR + offset) is None
    quota.pause(until=NOON + HOUR + 60_000, reason="offline")
    assert opening(quota, NOON) == NOON + 60_000 - 3
    assert opening(quota, NOON + 60_000) is None
    quota.pause(until=NOON + 60_000, reason="offline")
    assert opening(quota, NOON + HOUR) is None
    assert quota.read().probing(NOON + HOUR)
    assert opening(quota, NOON + 70_000) == NOON + 90_000


def test_clock_set_back_keeps_the_days_count(database: Database, quota: QuotaLedger) -> None:
    """From tomorrow back to today: what was used stays used, on the later day."""
    assert opening(quota, MIDNIGHT + HOUR) is None
    spend_day(database, 500)
    assert opening(quota, NOON) is None
    assert (quota.read().day, quota.read().used) == ("2026-03-02", 501)
