"""The quota of calls: sliding second, UTC day, pauses."""

from __future__ import annotations

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
def budget(database: Database) -> QuotaLedger:
    """Return a ledger whose clock shows no waiting for locks, so that calls are reserved at exactly `now`."""
    return QuotaLedger(database, monotonic=lambda: 0.0)


def spend_day(database: Database, used: int) -> None:
    """Set the day's count of calls to `used`."""
    with database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE budget SET used = {used}")


def test_never_more_than_four_calls_in_a_sliding_second(budget: QuotaLedger) -> None:
    """Asking every 10 ms, no second holds a fifth call, and bursts of four are allowed."""
    booked = [now for now in range(NOON, NOON + 4_000, 10) if opening(budget, now) is None]
    assert booked[:PER_SECOND] == [NOON, NOON + 10, NOON + 20, NOON + 30]
    fifths = zip(booked, booked[PER_SECOND:], strict=False)
    assert all(later - first >= 1_080 for first, later in fifths)
    assert len(booked) == 16


def test_refused_call_learns_when_to_ask_again(budget: QuotaLedger) -> None:
    """The named time is the first at which the call may start; a millisecond earlier it may not."""
    for offset in (0, 5, 6, 7):
        assert opening(budget, NOON + offset) is None
    assert opening(budget, NOON + 8) == NOON + 1_080
    assert opening(budget, NOON + 1_079) == NOON + 1_080
    assert opening(budget, NOON + 1_080) is None
    assert opening(budget, NOON + 1_081) == NOON + 1_085


def test_long_wait_for_the_lock_is_not_booked_in_the_past(database: Database) -> None:
    """A call that waited 3 s for the database is reserved for its start, not for the time it asked."""
    budget = QuotaLedger(database, monotonic=lambda: 0.0)
    ticks = iter([0.0, 3.0])
    assert opening(QuotaLedger(database, monotonic=lambda: next(ticks)), NOON) is None
    for offset in (3_001, 3_002, 3_003):
        assert opening(budget, NOON + offset) is None
    assert opening(budget, NOON + 3_004) == NOON + 3_000 + 1_080


def test_day_is_limited_and_begins_anew_at_midnight_utc(database: Database, budget: QuotaLedger) -> None:
    """Call 10,000 of a day is reserved, the next waits for 00:00 UTC, where counting starts again."""
    assert opening(budget, NOON) is None
    spend_day(database, PER_DAY - 1)
    assert opening(budget, NOON + 5_000) is None
    assert opening(budget, NOON + 10_000) == MIDNIGHT
    assert budget.read() == QuotaState("2026-03-01", PER_DAY, None, None, 0)
    assert opening(budget, MIDNIGHT - 1) == MIDNIGHT
    assert opening(budget, MIDNIGHT) is None
    assert budget.read() == QuotaState("2026-03-02", 1, None, None, 0)


def test_day_never_goes_backwards(database: Database, budget: QuotaLedger) -> None:
    """A clock set back over midnight does not grant a second quota."""
    assert opening(budget, MIDNIGHT) is None
    spend_day(database, PER_DAY)
    assert opening(budget, NOON) == MIDNIGHT + 24 * HOUR
    assert budget.read().day == "2026-03-02"


def test_clock_set_back_stalls_for_a_second_at_most(budget: QuotaLedger) -> None:
    """Call times that lie an hour ahead count as just now, once, and not until the clock catches up."""
    for offset in range(PER_SECOND):
        assert opening(budget, NOON + HOUR + offset) is None
    assert opening(budget, NOON) == NOON + 1_080
    assert opening(budget, NOON + 1_080) is None


def test_late_caller_does_not_loosen_the_window(budget: QuotaLedger) -> None:
    """A caller whose clock is a little behind does not move the others' calls into the past."""
    for offset in (100, 200, 300):
        assert opening(budget, NOON + offset) is None
    assert opening(budget, NOON) is None
    assert opening(budget, NOON + 310) == NOON + 1_180
    assert opening(budget, NOON + 1_180) is None
    assert opening(budget, NOON + 1_280) is None
    assert opening(budget, NOON + 1_370) == NOON + 1_380


def test_pause_is_shared_and_never_shortened(budget: QuotaLedger) -> None:
    """A shorter pause keeps the longer one and its reason, but counts as a failure."""
    budget.pause(until=NOON + 5_000, reason="quota")
    budget.pause(until=NOON + 1_000, reason="throttled")
    state = budget.read()
    assert (state.paused_until, state.pause_reason, state.failures) == (NOON + 5_000, "quota", 2)
    assert opening(budget, NOON + 4_999) == NOON + 5_000
    budget.pause(until=NOON + 9_000, reason="offline")
    assert budget.read().pause_reason == "offline"
    assert opening(budget, NOON + 9_000) is None


def test_resume_ends_the_pause(budget: QuotaLedger) -> None:
    """The pause is over and the failures are forgotten; the day's count stays."""
    assert opening(budget, NOON) is None
    budget.pause(until=NOON + 5_000, reason="offline")
    budget.resume()
    assert budget.read() == QuotaState("2026-03-01", 1, None, None, 0)


def test_a_success_ends_what_is_over_and_no_pause_that_lasts(budget: QuotaLedger) -> None:
    """A call that was under way when another exceeded the quota must not end the pause."""
    budget.pause(until=NOON + 5_000, reason="quota")
    budget.succeeded(NOON + 4_999)
    assert (budget.read().paused_until, budget.read().failures) == (NOON + 5_000, 1)
    budget.succeeded(NOON + 5_000)
    assert (budget.read().paused_until, budget.read().failures) == (None, 0)


def test_a_success_writes_nothing_when_nothing_failed(database: Database, budget: QuotaLedger) -> None:
    """The common case, one after each delivery, needs no write lock."""
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE budget SET used = used")
        budget.succeeded(NOON)


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


def test_throttling_is_answered_with_a_short_pause_and_a_wider_guard(budget: QuotaLedger) -> None:
    """All calls pause for 1.5 s, no failure is counted, no probe is needed, and the margin is wider."""
    budget.throttled(NOON)
    assert opening(budget, NOON + 1_499) == NOON + 1_500
    state = budget.read()
    assert (state.failures, state.guard_ms, state.pause_reason) == (
        0,
        140,
        "Constant Contact asked for fewer calls.",
    )
    assert [opening(budget, NOON + 1_500) for _ in range(PER_SECOND)] == [None] * PER_SECOND
    opens_at = opening(budget, NOON + 1_501)
    assert opens_at is not None
    assert 1_130 < opens_at - (NOON + 1_500) <= 1_140


def test_guard_grows_to_a_second_and_shrinks_again(budget: QuotaLedger) -> None:
    """Each throttling widens the margin by half and 20 ms; it shrinks by 5 % a minute, down to 80 ms."""
    grown = []
    for _ in range(7):
        budget.throttled(NOON)
        grown.append(budget.read().guard_ms)
    assert grown == [140, 230, 365, 567, 870, 1_000, 1_000]
    minute = 60_000
    state = budget.read()
    assert [state.guard_at(NOON + minutes * minute) for minutes in (0, 1, 2, 48, 50, 600)] == [
        1_000,
        950,
        902,
        85,
        80,
        80,
    ]
    budget.throttled(NOON + 2 * minute)
    assert budget.read().guard_ms == 1_000
    budget.throttled(NOON + 600 * minute)
    assert budget.read().guard_ms == 140


def test_throttling_leaves_a_longer_pause(budget: QuotaLedger) -> None:
    """Its pause of 1.5 s does not shorten one for another reason."""
    budget.pause(until=NOON + 60_000, reason="offline")
    budget.throttled(NOON)
    assert (budget.read().paused_until, budget.read().pause_reason) == (NOON + 60_000, "offline")


def test_exceeded_quota_ends_the_day_and_is_followed_by_one_probe(budget: QuotaLedger) -> None:
    """Others use the same API key, so the vendor's answer counts; after the pause one call is the probe."""
    assert opening(budget, NOON) is None
    budget.quota_exceeded(NOON + 1, MIDNIGHT + 7_000)
    assert budget.read().used == PER_DAY
    assert opening(budget, NOON + 2_000) == MIDNIGHT + 7_000
    assert opening(budget, MIDNIGHT + 7_000) is None
    assert opening(budget, MIDNIGHT + 7_001) == MIDNIGHT + 27_000
    budget.succeeded(MIDNIGHT + 7_100)
    assert opening(budget, MIDNIGHT + 7_101) is None
    assert (budget.read().day, budget.read().used) == ("2026-03-02", 2)


def test_quota_that_is_to_be_asked_again_soon_leaves_the_count(budget: QuotaLedger) -> None:
    """An answer just after midnight, by a vendor whose clock is behind, must not cost the new day."""
    budget.quota_exceeded(MIDNIGHT + 100, MIDNIGHT + 300_000)
    assert budget.read().used == 0
    assert opening(budget, MIDNIGHT + 300_000) is None


def test_noted_call_counts_and_is_never_refused(database: Database, budget: QuotaLedger) -> None:
    """A call that goes out in any case counts in the second and in the day."""
    for _ in range(PER_SECOND + 1):
        budget.note(NOON)
    assert budget.read().used == PER_SECOND + 1
    assert opening(budget, NOON + 1_079) == NOON + 1_080
    spend_day(database, PER_DAY)
    budget.note(NOON + 2_000)
    assert budget.read().used == PER_DAY + 1
    budget.pause(until=NOON + 60_000, reason="401")
    budget.note(NOON + 3_000)
    assert budget.read().used == PER_DAY + 2


def test_after_an_outage_one_call_probes(budget: QuotaLedger) -> None:
    """The others wait for the probe's outcome, but no longer than 20 s: its process may have died."""
    budget.pause(until=NOON, reason="offline")
    assert opening(budget, NOON) is None
    assert budget.read().probing(NOON + 19_999)
    assert opening(budget, NOON + 1) == NOON + 20_000
    assert opening(budget, NOON + 20_000) is None
    assert opening(budget, NOON + 20_001) == NOON + 40_000


def test_a_probes_own_further_calls_do_not_wait_for_it(budget: QuotaLedger) -> None:
    """A delivery may take more than one call; they do not prolong the probe."""
    budget.pause(until=NOON, reason="offline")
    assert opening(budget, NOON) is None
    assert opening(budget, NOON + 1, own_probe=True) is None
    assert budget.read().probe_until == NOON + 20_000


def test_probe_that_succeeds_sets_everybody_free(budget: QuotaLedger) -> None:
    """Calls go out at once, and the failures are forgotten."""
    budget.pause(until=NOON, reason="offline")
    assert opening(budget, NOON) is None
    budget.succeeded(NOON + 100)
    assert [opening(budget, NOON + 101) for _ in range(3)] == [None] * 3
    state = budget.read()
    assert (state.failures, state.paused_until, state.probe_until) == (0, None, None)


def test_probe_that_fails_is_followed_by_a_pause_and_the_next_probe(budget: QuotaLedger) -> None:
    """The pause replaces the rest of the 20 s."""
    budget.pause(until=NOON, reason="offline")
    assert opening(budget, NOON) is None
    budget.pause(until=NOON + 2_000, reason="still offline")
    assert budget.read().failures == 2
    assert opening(budget, NOON + 1_999) == NOON + 2_000
    assert opening(budget, NOON + 2_000) is None
    assert opening(budget, NOON + 2_001) == NOON + 22_000


def test_calls_that_fail_together_count_as_one_failure(budget: QuotaLedger) -> None:
    """Eight calls under way when the vendor becomes unreachable do not double the first gap eight times."""
    for late in range(8):
        budget.pause(until=NOON + 1_000 + late, reason="offline", now=NOON + late)
    assert (budget.read().failures, budget.read().paused_until) == (1, NOON + 1_007)
    budget.pause(until=NOON + 9_000, reason="offline", now=NOON + 2_000)
    assert budget.read().failures == 2


def test_failure_during_the_rest_after_throttling_counts(budget: QuotaLedger) -> None:
    """The pause after throttling is none for failures: a probe must follow this failure."""
    budget.throttled(NOON)
    budget.pause(until=NOON + 1_000, reason="offline", now=NOON + 10)
    assert budget.read().failures == 1


def refuse(budget: QuotaLedger, words: str, contact: str) -> int:
    refusal = Refused.of(contact, 1, words, {"list:a"})
    return len(budget.refused(refusal, control=True).alike)


def test_refusals_are_counted_by_different_contacts_in_a_row(budget: QuotaLedger) -> None:
    """The same contact counts once, and refusals in other words are counted apart."""
    assert [refuse(budget, "400", contact) for contact in ("a", "b", "a", "c")] == [1, 2, 2, 3]
    assert refuse(budget, "other", "d") == 1
    assert refuse(budget, "400", "e") == 4
    assert budget.refused(Refused.of("e", 1, "400", ()), control=True).again


def test_success_ends_the_row_of_refusals(budget: QuotaLedger) -> None:
    """Also during a pause for another reason, which the success does not end."""
    refuse(budget, "400", "a")
    budget.succeeded(NOON)
    assert refuse(budget, "400", "b") == 1
    budget.pause(until=NOON + 5_000, reason="quota")
    budget.succeeded(NOON)
    assert refuse(budget, "400", "c") == 1
    assert budget.read().paused_until == NOON + 5_000


def test_success_ends_a_pause_for_what_was_refused(budget: QuotaLedger) -> None:
    """Not all sign-ups are refused, as the success of one that came in meanwhile shows."""
    refuse(budget, "400", "a")
    budget.pause(until=NOON + 5_000, reason="refused", now=NOON, refused=True)
    budget.succeeded(NOON + 1)
    assert (budget.read().paused_until, budget.read().failures) == (None, 0)


def test_refusals_keep_no_address(database: Database, budget: QuotaLedger) -> None:
    """Erasing a person does not look into the quota's row."""
    refuse(budget, "400", "ada@example.org")
    with database.reading() as connection:
        found = str(connection.exec_driver_sql("SELECT refusals FROM budget").scalar())
    assert "list:a" in found
    assert "ada@" not in found


def test_clock_set_back_shortens_a_pause_by_as_much(budget: QuotaLedger) -> None:
    """An hour's jump does not make an hour out of a minute's pause, nor of a probe's 20 s."""
    for offset in range(PER_SECOND):
        assert opening(budget, NOON + HOUR + offset) is None
    budget.pause(until=NOON + HOUR + 60_000, reason="offline")
    assert opening(budget, NOON) == NOON + 60_000 - 3
    assert opening(budget, NOON + 60_000) is None
    budget.pause(until=NOON + 60_000, reason="offline")
    assert opening(budget, NOON + HOUR) is None
    assert budget.read().probing(NOON + HOUR)
    assert opening(budget, NOON + 70_000) == NOON + 90_000


def test_clock_set_back_keeps_the_days_count(database: Database, budget: QuotaLedger) -> None:
    """From tomorrow back to today: what was used stays used, on the later day."""
    assert opening(budget, MIDNIGHT + HOUR) is None
    spend_day(database, 500)
    assert opening(budget, NOON) is None
    assert (budget.read().day, budget.read().used) == ("2026-03-02", 501)
