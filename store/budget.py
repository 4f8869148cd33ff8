"""The vendor's call budget: one row that every caller, in every process, locks before it calls.

4 calls a second, 10,000 a UTC day: https://v3.developer.constantcontact.com/api_guide/api_rate_limits.html
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection, Row, bindparam, case, or_, select, update

from store.database import Database
from store.schema import budget

PER_SECOND = 4
PER_DAY = 10_000

log = structlog.get_logger(__name__)

_WINDOW_MS = 1_000
_GUARD_MS = 100  # a call may reach the vendor later than its booking, the next one sooner
_CLOCK_WENT_BACK_MS = 60_000
_ROW = budget.c.name == "default"
_READ = select(budget).where(_ROW)
_LOCK = _READ.with_for_update()
_BOOK = (
    update(budget)
    .where(_ROW)
    .values(day=bindparam("new_day"), used=bindparam("new_used"), calls=bindparam("new_calls"))
)


@dataclass(frozen=True)
class BudgetState:
    """The budget as last booked; `day` is the UTC day that `used` counts, "" before the first call."""

    day: str
    used: int
    paused_until: int | None
    pause_reason: str | None
    failures: int


@dataclass(frozen=True)
class Allowance:
    """The locked row, seen at one moment: when the next call may start, and the row after booking it."""

    state: BudgetState
    calls: tuple[int, ...]
    now: int

    def opens_at(self) -> int | None:
        """None when a call may start now, else the epoch ms when to ask again."""
        if self.state.paused_until is not None and self.state.paused_until > self.now:
            return self.state.paused_until
        if self.state.used >= PER_DAY:
            return _midnight_after(self.state.day)
        if len(self.calls) == PER_SECOND and self.now < self.calls[0] + _WINDOW_MS + _GUARD_MS:
            return self.calls[0] + _WINDOW_MS + _GUARD_MS
        return None

    def book(self, connection: Connection) -> None:
        """Count one call at this moment."""
        booked = replace(self.state, used=self.state.used + 1)
        calls = (*self.calls, self.now)[-PER_SECOND:]
        replace(self, state=booked, calls=calls).save(connection)

    def save(self, connection: Connection) -> None:
        """Write the row."""
        connection.execute(
            _BOOK,
            {"new_day": self.state.day, "new_used": self.state.used, "new_calls": json.dumps(self.calls)},
        )


@contextmanager
def locked_allowance(
    database: Database, now: int, monotonic: Callable[[], float]
) -> Iterator[tuple[Connection, Allowance]]:
    """A write transaction that holds the budget row, brought up to the present.

    Args:
        database: where the row is.
        now: epoch ms when the caller looked at its clock.
        monotonic: a clock in seconds. A long wait for the lock makes `now` stale, and a call booked in the
            past would let five calls into one second; within the guard it does not matter.
    """
    asked_at = monotonic()
    with database.transaction() as connection:
        row = connection.execute(_LOCK).one()
        waited = int((monotonic() - asked_at) * 1000)
        yield connection, _allowance(connection, row, now + waited if waited > _GUARD_MS // 2 else now)


def _allowance(connection: Connection, row: Row[tuple[object, ...]], now: int) -> Allowance:
    calls: tuple[int, ...] = tuple(json.loads(row.calls))
    last = max(calls, default=now)
    if last > now + _CLOCK_WENT_BACK_MS:
        log.warning("clock_went_back", milliseconds=last - now)
        # Saved at once: clamped anew at each look, the window would never open before the old time returns.
        allowance = Allowance(_on_day(row, now), tuple(min(call, now) for call in calls), now)
        allowance.save(connection)
        return allowance
    return Allowance(_on_day(row, now), calls, now)


class Budget:
    """The shared budget, for calls that are not deliveries, and for pausing everybody."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic

    def book(self, now: int) -> int | None:
        """Book one call at `now` (epoch ms) and return None, or book nothing and return when to ask again."""
        with locked_allowance(self._database, now, self._monotonic) as (connection, allowance):
            opens_at = allowance.opens_at()
            if opens_at is None:
                allowance.book(connection)
            return opens_at

    def read(self) -> BudgetState:
        """The row as it is; a pause in it may be over by now."""
        with self._database.reading() as connection:
            return _state(connection.execute(_READ).one())

    def pause(self, *, until: int, reason: str) -> None:
        """Stop all calls until `until` (epoch ms) and count a failure; a longer pause stays as it is."""
        longer = or_(budget.c.paused_until.is_(None), budget.c.paused_until < until)
        with self._database.transaction() as connection:
            connection.execute(
                update(budget)
                .where(_ROW)
                .values(
                    paused_until=case((longer, until), else_=budget.c.paused_until),
                    pause_reason=case((longer, reason), else_=budget.c.pause_reason),
                    failures=budget.c.failures + 1,
                )
            )

    def succeeded(self, now: int) -> None:
        """After a success at `now` (epoch ms): forget the failures; writes only when there are any.

        A pause that still lasts stays: another call was told of it while this one was under way.
        """
        state = self.read()
        if state.failures and (state.paused_until is None or state.paused_until <= now):
            self.resume()

    def resume(self) -> None:
        """End the pause, whatever its cause, and forget the failures."""
        with self._database.transaction() as connection:
            connection.execute(
                update(budget).where(_ROW).values(paused_until=None, pause_reason=None, failures=0)
            )


def _state(row: Row[tuple[object, ...]]) -> BudgetState:
    return BudgetState(row.day, row.used, row.paused_until, row.pause_reason, row.failures)


def _on_day(row: Row[tuple[object, ...]], now: int) -> BudgetState:
    """The state with a fresh count on a new day; never an earlier one, which would grant the quota twice."""
    today = datetime.fromtimestamp(now / 1000, UTC).date().isoformat()
    state = _state(row)
    return replace(state, day=today, used=0) if today > state.day else state


def _midnight_after(day: str) -> int:
    following = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    return int(following.timestamp() * 1000)
