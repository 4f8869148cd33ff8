"""The call budget: sliding second, UTC day, pauses."""

from datetime import UTC, datetime

import pytest

from store import PER_DAY, PER_SECOND, Budget, BudgetState, Database

NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
MIDNIGHT = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000


@pytest.fixture
def budget(database: Database) -> Budget:
    """A budget whose clock shows no waiting for locks, so that bookings are at exactly `now`."""
    return Budget(database, monotonic=lambda: 0.0)


def spend_day(database: Database, used: int) -> None:
    """Make `used` the day's count."""
    with database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE budget SET used = {used}")


def test_never_more_than_four_calls_in_a_sliding_second(budget: Budget) -> None:
    """Asking every 10 ms, no second holds a fifth call, and bursts of four are allowed."""
    booked = [now for now in range(NOON, NOON + 4_000, 10) if budget.book(now) is None]
    assert booked[:PER_SECOND] == [NOON, NOON + 10, NOON + 20, NOON + 30]
    fifths = zip(booked, booked[PER_SECOND:], strict=False)
    assert all(later - first >= 1_100 for first, later in fifths)
    assert len(booked) == 16


def test_refused_call_learns_when_to_ask_again(budget: Budget) -> None:
    """The named time is the first at which the call may start; a millisecond earlier it may not."""
    for offset in (0, 5, 6, 7):
        assert budget.book(NOON + offset) is None
    assert budget.book(NOON + 8) == NOON + 1_100
    assert budget.book(NOON + 1_099) == NOON + 1_100
    assert budget.book(NOON + 1_100) is None
    assert budget.book(NOON + 1_101) == NOON + 1_105


def test_long_wait_for_the_lock_is_not_booked_in_the_past(database: Database) -> None:
    """A call that waited 3 s for the database is booked when it starts, not when it asked."""
    budget = Budget(database, monotonic=lambda: 0.0)
    ticks = iter([0.0, 3.0])
    assert Budget(database, monotonic=lambda: next(ticks)).book(NOON) is None
    for offset in (3_001, 3_002, 3_003):
        assert budget.book(NOON + offset) is None
    assert budget.book(NOON + 3_004) == NOON + 3_000 + 1_100


def test_day_is_limited_and_begins_anew_at_midnight_utc(database: Database, budget: Budget) -> None:
    """Call 10,000 of a day is booked, the next waits for 00:00 UTC, where counting starts again."""
    assert budget.book(NOON) is None
    spend_day(database, PER_DAY - 1)
    assert budget.book(NOON + 5_000) is None
    assert budget.book(NOON + 10_000) == MIDNIGHT
    assert budget.read() == BudgetState("2026-03-01", PER_DAY, None, None, 0)
    assert budget.book(MIDNIGHT - 1) == MIDNIGHT
    assert budget.book(MIDNIGHT) is None
    assert budget.read() == BudgetState("2026-03-02", 1, None, None, 0)


def test_day_never_goes_backwards(database: Database, budget: Budget) -> None:
    """A clock set back over midnight does not grant a second quota."""
    assert budget.book(MIDNIGHT) is None
    spend_day(database, PER_DAY)
    assert budget.book(NOON) == MIDNIGHT + 24 * HOUR
    assert budget.read().day == "2026-03-02"


def test_clock_set_back_stalls_for_a_second_at_most(budget: Budget) -> None:
    """Call times that lie an hour ahead count as just now, once, and not until the clock catches up."""
    for offset in range(PER_SECOND):
        assert budget.book(NOON + HOUR + offset) is None
    assert budget.book(NOON) == NOON + 1_100
    assert budget.book(NOON + 1_100) is None


def test_late_caller_does_not_loosen_the_window(budget: Budget) -> None:
    """A caller whose clock is a little behind does not move the others' calls into the past."""
    for offset in (100, 200, 300):
        assert budget.book(NOON + offset) is None
    assert budget.book(NOON) is None
    assert budget.book(NOON + 310) == NOON + 1_200
    assert budget.book(NOON + 1_200) is None
    assert budget.book(NOON + 1_300) is None
    assert budget.book(NOON + 1_390) == NOON + 1_400


def test_pause_is_shared_and_never_shortened(budget: Budget) -> None:
    """A shorter pause keeps the longer one and its reason, but counts as a failure."""
    budget.pause(until=NOON + 5_000, reason="quota")
    budget.pause(until=NOON + 1_000, reason="throttled")
    state = budget.read()
    assert (state.paused_until, state.pause_reason, state.failures) == (NOON + 5_000, "quota", 2)
    assert budget.book(NOON + 4_999) == NOON + 5_000
    budget.pause(until=NOON + 9_000, reason="offline")
    assert budget.read().pause_reason == "offline"
    assert budget.book(NOON + 9_000) is None


def test_resume_ends_the_pause(budget: Budget) -> None:
    """The pause is over and the failures are forgotten; the day's count stays."""
    assert budget.book(NOON) is None
    budget.pause(until=NOON + 5_000, reason="offline")
    budget.resume()
    assert budget.read() == BudgetState("2026-03-01", 1, None, None, 0)


def test_a_success_ends_what_is_over_and_no_pause_that_lasts(budget: Budget) -> None:
    """A call that was under way when another met the quota must not set everybody off again."""
    budget.pause(until=NOON + 5_000, reason="quota")
    budget.succeeded(NOON + 4_999)
    assert (budget.read().paused_until, budget.read().failures) == (NOON + 5_000, 1)
    budget.succeeded(NOON + 5_000)
    assert (budget.read().paused_until, budget.read().failures) == (None, 0)


def test_a_success_writes_nothing_when_nothing_failed(database: Database, budget: Budget) -> None:
    """The common case, one after each delivery, needs no write lock."""
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE budget SET used = used")
        budget.succeeded(NOON)


def test_two_databases_share_one_budget(database: Database, url: str) -> None:
    """A second process's object sees the first one's calls."""
    other = Database(url)
    try:
        for offset in range(PER_SECOND):
            books = Budget(other if offset % 2 else database, monotonic=lambda: 0.0)
            assert books.book(NOON + offset) is None
        assert Budget(other, monotonic=lambda: 0.0).book(NOON + 9) == NOON + 1_100
    finally:
        other.close()
