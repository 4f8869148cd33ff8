"""The vendor's call budget at one moment: the locked row, what it allows, and the row after a call.

4 calls a second, 10,000 a UTC day: https://v3.developer.constantcontact.com/api_guide/api_rate_limits.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, case, select, text, update

from store.engine.database import Database
from store.schema import SENDING, UNFINISHED, budget, deliveries

PER_SECOND = 4
PER_DAY = 10_000
PROBE_MS = 20_000  # longer than the hard deadline of one call
SMALLEST_GUARD_MS = 80  # a call may reach the vendor later than its booking, the next one sooner

log = structlog.get_logger(__name__)

_WINDOW_MS = 1_000
LARGEST_GUARD_MS = 1_000
_GUARD_KEPT_A_MINUTE = 0.95
_MINUTE_MS = 60_000
_CLOCK_WENT_BACK_MS = 60_000
_LONGEST_PAUSE_MS = 25 * 60 * _MINUTE_MS  # over midnight, after a quota that was used up at once

ROW = budget.c.name == "default"
READ = select(budget).where(ROW)
LOCK = READ.with_for_update()
_SAVED = (
    *("day", "used", "paused_until", "pause_reason", "failures", "guard_ms", "guard_since", "probe_until"),
    *("refusals", "causes"),
)
_SAVE = (
    update(budget)
    .where(ROW)
    .values({name: bindparam(f"new_{name}") for name in _SAVED} | {"calls": bindparam("new_calls")})
)
_SHORTEN_LEASES = (
    update(deliveries)
    .where(SENDING, deliveries.c.due_at > bindparam("beyond"))
    .values(due_at=bindparam("lease_until"))
)
_READY = text("state = 'ready'")
_EARLIER = (
    update(deliveries)
    .where(UNFINISHED, _READY, deliveries.c.due_at > bindparam("beyond"))
    .values(
        due_at=case(
            (deliveries.c.due_at < bindparam("ahead_of"), bindparam("now")),
            else_=deliveries.c.due_at - bindparam("by"),
        )
    )
)


@dataclass(frozen=True)
class QuotaState:
    """The budget as last booked; times are epoch ms.

    `day` is the UTC day that `used` counts, "" before the first call. While `failures` is above 0 and no
    pause lasts, one call at a time may go out, the probe: the others wait until `probe_until` or its outcome.
    `guard_ms` is what was added to the sliding second at `guard_since`; `guard_at` tells what is left of it.
    """

    day: str
    used: int
    paused_until: int | None
    pause_reason: str | None
    failures: int
    guard_ms: int = 100  # as a new row begins; long since shrunk to the smallest
    guard_since: int | None = None
    probe_until: int | None = None
    refusals: str = "{}"  # see `store.refusals`
    causes: str = "[]"  # see `store.causes`

    def guard_at(self, now: int) -> int:
        """Milliseconds added to the sliding second at `now`: grown by throttling, shrinking 5 % a minute."""
        minutes = max(0, now - (self.guard_since or 0)) / _MINUTE_MS
        return max(SMALLEST_GUARD_MS, int(self.guard_ms * _GUARD_KEPT_A_MINUTE**minutes))

    def probing(self, now: int) -> bool:
        """Tell whether a probe is under way at `now`, for which all other calls wait."""
        return self.failures > 0 and (self.probe_until or 0) > now


@dataclass(frozen=True)
class Wait:
    """Nothing may be sent now; ask again at `until` (epoch ms), None when nothing is waiting at all."""

    until: int | None


@dataclass(frozen=True)
class Allowance:
    """The locked row, seen at one moment: when the next call may start, and the row after booking it."""

    state: QuotaState
    calls: tuple[int, ...]
    now: int

    @property
    def half_open(self) -> bool:
        """After failures, and with no probe under way, the next call is the probe."""
        return self.state.failures > 0 and not self.state.probing(self.now)

    @property
    def starts_at(self) -> int:
        """The earliest epoch ms, now or later, that the sliding second leaves to the next call."""
        if len(self.calls) < PER_SECOND:
            return self.now
        return max(self.now, self.calls[0] + _WINDOW_MS + self.state.guard_at(self.now))

    def opens_at(self, *, per_day: int = PER_DAY, own_probe: bool = False, ahead_ms: int = 0) -> int | None:
        """None when a call may be booked now, for `starts_at`; else the epoch ms when to ask again.

        Args:
            per_day: how much of the day's quota this kind of call may use up.
            own_probe: the call belongs to the probe that is under way. A sign-up that comes in while all wait
                is one too, so the pause is not for its further calls.
            ahead_ms: how long before its start a call may be booked; never over midnight, whose day it is.
        """
        times = [0 if own_probe else self.state.paused_until or 0]
        if self.state.probing(self.now) and not own_probe:
            times.append(self.state.probe_until or 0)
        if self.state.used >= per_day:
            times.append(self.day_ends_at())
        if self.starts_at > self.now:
            early = self.starts_at - ahead_ms
            into_tomorrow = early <= self.now and self.starts_at >= self.day_ends_at()
            times.append(self.day_ends_at() if into_tomorrow else early)
        return max(times) if max(times) > self.now else None

    def day_ends_at(self) -> int:
        """The next 00:00 UTC, epoch ms, when the vendor counts anew."""
        following = datetime.fromisoformat(self.state.day).replace(tzinfo=UTC) + timedelta(days=1)
        return int(following.timestamp() * 1000)

    def booked(self, at: int, *, probe: bool) -> Allowance:
        """Count one call that starts `at` (epoch ms); as a `probe` it keeps the others waiting."""
        state = replace(self.state, used=self.state.used + 1)
        if probe:
            state = replace(state, probe_until=at + PROBE_MS)
        return replace(self, state=state, calls=(*self.calls, at)[-PER_SECOND:])

    def exhausted(self) -> Allowance:
        """Count four calls as just made."""
        return replace(self, calls=(self.now,) * PER_SECOND)

    def throttled(self) -> Allowance:
        """Widen the guard, as the vendor counted more calls in a second than we did."""
        guard = min(LARGEST_GUARD_MS, int(self.state.guard_at(self.now) * 1.5) + 20)
        return replace(self, state=replace(self.state, guard_ms=guard, guard_since=self.now))

    def paused(self, until: int, reason: str) -> Allowance:
        """Stop all calls until `until`; a longer pause stays as it is."""
        if (self.state.paused_until or 0) >= until:
            return self
        return replace(self, state=replace(self.state, paused_until=until, pause_reason=reason))

    def save(self, connection: Connection) -> None:
        """Write the row."""
        values: dict[str, Any] = {f"new_{name}": getattr(self.state, name) for name in _SAVED}
        connection.execute(_SAVE, values | {"new_calls": json.dumps(self.calls)})


@contextmanager
def locked_allowance(
    database: Database,
    now: int,
    monotonic: Callable[[], float],
    *,
    committed: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Connection, Allowance]]:
    """A write transaction that holds the budget row, brought up to the present.

    Args:
        database: where the row is.
        now: epoch ms when the caller looked at its clock.
        monotonic: a clock in seconds. A long wait for the lock makes `now` stale, and a call booked in the
            past would let five calls into one second; within the guard it does not matter.
        committed: runs after the commit.
    """
    asked_at = monotonic()
    with database.transaction(committed=committed) as connection:
        row = connection.execute(LOCK).one()
        waited = int((monotonic() - asked_at) * 1000)
        yield (
            connection,
            _allowance(connection, row, now + waited if waited > SMALLEST_GUARD_MS // 2 else now),
        )


def state_of(row: Row[Any]) -> QuotaState:
    """The row as it is."""
    return QuotaState(*(getattr(row, name) for name in _SAVED))


def _allowance(connection: Connection, row: Row[Any], now: int) -> Allowance:
    calls: tuple[int, ...] = tuple(json.loads(row.calls))
    allowance = Allowance(_on_day(state_of(row), now), calls, now)
    ahead = max(calls, default=now) - now
    if ahead <= _CLOCK_WENT_BACK_MS:
        return allowance
    log.warning("clock_went_back", milliseconds=ahead)
    # Saved at once: set right anew at each look, the window would never open before the old time returns.
    allowance = replace(
        allowance, calls=tuple(min(call, now) for call in calls), state=_set_back(allowance.state, now, ahead)
    )
    allowance.save(connection)
    _bring_deliveries_back(connection, now, ahead)
    return allowance


def _bring_deliveries_back(connection: Connection, now: int, ahead: int) -> None:
    """What waits for a time of the clock as it was, would wait until the old time returns."""
    connection.execute(
        _SHORTEN_LEASES, {"beyond": now + 2 * _CLOCK_WENT_BACK_MS, "lease_until": now + _CLOCK_WENT_BACK_MS}
    )
    # One that was put off before the clock went wrong may come too soon by this, which costs a call at most.
    connection.execute(
        _EARLIER,
        {"beyond": now + _CLOCK_WENT_BACK_MS, "ahead_of": now + ahead, "now": now, "by": ahead},
    )


def _set_back(state: QuotaState, now: int, ahead: int) -> QuotaState:
    """The state with its times moved by as much as the clock went back."""
    paused_until = state.paused_until
    if paused_until is not None and paused_until > now:
        paused_until = min(paused_until - ahead, now + _LONGEST_PAUSE_MS)
    return replace(
        state,
        paused_until=paused_until,
        probe_until=min(state.probe_until, now + PROBE_MS) if state.probe_until else None,
        guard_since=min(state.guard_since, now) if state.guard_since else None,
    )


def _on_day(state: QuotaState, now: int) -> QuotaState:
    """The state with a fresh count on a new day; never an earlier one, which would grant the quota twice."""
    today = datetime.fromtimestamp(now / 1000, UTC).date().isoformat()
    return replace(state, day=today, used=0) if today > state.day else state
