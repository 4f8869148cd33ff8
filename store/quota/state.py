"""The vendor's quota of calls at one moment: the locked row, when it allows a call, and the row after a call.

4 calls a second, 10,000 a UTC day: https://v3.developer.constantcontact.com/api_guide/api_rate_limits.html
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, case, select, text, update

from store.engine.database import Database
from store.schema.outbox import SENDING, UNFINISHED, budget, deliveries

PER_SECOND = 4
PER_DAY = 10_000
PROBE_MS = 20_000  # longer than the hard deadline of one call
SMALLEST_MARGIN_MS = 80  # a call may reach the vendor later than its reservation, the next one sooner

log = structlog.get_logger(__name__)

_WINDOW_MS = 1_000
LARGEST_MARGIN_MS = 1_000
_MARGIN_KEPT_A_MINUTE = 0.95
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
    """The quota's row as last stored; times are epoch ms.

    `day` is the UTC day whose calls `used` counts, "" before the first call. While `failures` is above 0 and
    no pause lasts, one call at a time may go out, the half-open probe: the others wait until its outcome is
    known, or until `probe_until`. `guard_ms` is the margin that was added to the sliding second at
    `guard_since`; `margin_at` returns the margin that is left of it.
    """

    day: str
    used: int
    paused_until: int | None
    pause_reason: str | None
    failures: int
    guard_ms: int = 100  # the column's default; `guard_since` is None then, so the margin is the smallest
    guard_since: int | None = None
    probe_until: int | None = None
    refusals: str = "{}"  # see `Refusals.parse`
    causes: str = "[]"  # see `Causes.parse`

    def margin_at(self, now: int) -> int:
        """Return the margin (ms) added to the sliding second at `now`; it shrinks by 5 % a minute."""
        minutes = max(0, now - (self.guard_since or 0)) / _MINUTE_MS
        return max(SMALLEST_MARGIN_MS, int(self.guard_ms * _MARGIN_KEPT_A_MINUTE**minutes))

    def probing(self, now: int) -> bool:
        """Return whether a probe is under way at `now`, for which all other calls wait."""
        return self.failures > 0 and (self.probe_until or 0) > now


@dataclass(frozen=True)
class Wait:
    """No call may be made now; ask again at `until` (epoch ms), None when no delivery waits at all."""

    until: int | None


@dataclass(frozen=True)
class LockedQuota:
    """The locked row at one moment: when the next call may start, and the row after reserving it.

    `calls` are the starts of the latest calls (epoch ms), oldest first.
    """

    state: QuotaState
    calls: tuple[int, ...]
    now: int

    @property
    def half_open(self) -> bool:
        """Whether the next call is the probe: after failures, while no probe is under way."""
        return self.state.failures > 0 and not self.state.probing(self.now)

    @property
    def starts_at(self) -> int:
        """The earliest start (epoch ms), now or later, that the sliding second and its margin allow."""
        if len(self.calls) < PER_SECOND:
            return self.now
        return max(self.now, self.calls[0] + _WINDOW_MS + self.state.margin_at(self.now))

    def opens_at(self, *, per_day: int = PER_DAY, own_probe: bool = False, ahead_ms: int = 0) -> int | None:
        """Return None when a call may be reserved now, for `starts_at`; else when to ask again (epoch ms).

        Args:
            per_day: how much of the day's quota this kind of call may use up.
            own_probe: the call belongs to the delivery that is the probe under way, or to a sign-up that is
                tried during a pause for refusals; neither waits for the pause.
            ahead_ms: how long before its start a call may be reserved; never across midnight UTC, since the
                call would be counted in the wrong day.
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
        """Return the next 00:00 UTC (epoch ms), when the vendor's count of the day begins anew."""
        following = datetime.fromisoformat(self.state.day).replace(tzinfo=UTC) + timedelta(days=1)
        return int(following.timestamp() * 1000)

    def reserved(self, at: int, *, probe: bool) -> "LockedQuota":
        """Return the row with one call more, which starts `at` (epoch ms); all others wait for a `probe`."""
        state = replace(self.state, used=self.state.used + 1)
        if probe:
            state = replace(state, probe_until=at + PROBE_MS)
        return replace(self, state=state, calls=(*self.calls, at)[-PER_SECOND:])

    def exhausted(self) -> "LockedQuota":
        """Return the row as if the sliding second were full of calls."""
        return replace(self, calls=(self.now,) * PER_SECOND)

    def throttled(self) -> "LockedQuota":
        """Return the row with a wider margin, as the vendor counted more calls in a second than we did."""
        margin = min(LARGEST_MARGIN_MS, int(self.state.margin_at(self.now) * 1.5) + 20)
        return replace(self, state=replace(self.state, guard_ms=margin, guard_since=self.now))

    def paused(self, until: int, reason: str) -> "LockedQuota":
        """Return the row with all calls stopped until `until` (epoch ms); a longer pause stays as it is."""
        if (self.state.paused_until or 0) >= until:
            return self
        return replace(self, state=replace(self.state, paused_until=until, pause_reason=reason))

    def save(self, connection: Connection) -> None:
        """Write the row."""
        values: dict[str, Any] = {f"new_{name}": getattr(self.state, name) for name in _SAVED}
        connection.execute(_SAVE, values | {"new_calls": json.dumps(self.calls)})


@contextmanager
def locked_quota(
    database: Database,
    now: int,
    monotonic: Callable[[], float],
    *,
    committed: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Connection, LockedQuota]]:
    """Hold a write transaction with the quota's row locked, its day and its clock brought up to date.

    Args:
        database: where the row is.
        now: epoch ms when the caller looked at its clock.
        monotonic: a clock in seconds. A long wait for the lock makes `now` stale, and a call reserved in the
            past would let five calls into one second; a wait below half of the margin does not matter.
        committed: runs after the commit.
    """
    asked_at = monotonic()
    with database.transaction(committed=committed) as connection:
        row = connection.execute(LOCK).one()
        waited = int((monotonic() - asked_at) * 1000)
        yield (
            connection,
            _up_to_date(connection, row, now + waited if waited > SMALLEST_MARGIN_MS // 2 else now),
        )


def state_of(row: Row[Any]) -> QuotaState:
    """Return the quota as the row has it."""
    return QuotaState(*(getattr(row, name) for name in _SAVED))


def _up_to_date(connection: Connection, row: Row[Any], now: int) -> LockedQuota:
    calls: tuple[int, ...] = tuple(json.loads(row.calls))
    quota = LockedQuota(_on_day(state_of(row), now), calls, now)
    ahead = max(calls, default=now) - now
    if ahead <= _CLOCK_WENT_BACK_MS:
        return quota
    log.warning("clock_went_back", milliseconds=ahead)
    # Saved at once: corrected only in memory, at each look anew, no call could start before the old time
    # returns.
    quota = replace(
        quota, calls=tuple(min(call, now) for call in calls), state=_set_back(quota.state, now, ahead)
    )
    quota.save(connection)
    _set_deliveries_back(connection, now, ahead)
    return quota


def _set_deliveries_back(connection: Connection, now: int, ahead: int) -> None:
    """Move due times and leases back with the clock, or they would last until the old time returns."""
    connection.execute(
        _SHORTEN_LEASES, {"beyond": now + 2 * _CLOCK_WENT_BACK_MS, "lease_until": now + _CLOCK_WENT_BACK_MS}
    )
    # A delivery postponed before the clock went wrong may become due too soon by this, which costs a call at
    # most.
    connection.execute(
        _EARLIER,
        {"beyond": now + _CLOCK_WENT_BACK_MS, "ahead_of": now + ahead, "now": now, "by": ahead},
    )


def _set_back(state: QuotaState, now: int, ahead: int) -> QuotaState:
    """Return the state with its times moved back by `ahead` ms, as far as the clock went back."""
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
    """Return the state with its count at 0 on a new day; an earlier day would grant the quota twice."""
    today = datetime.fromtimestamp(now / 1000, UTC).date().isoformat()
    return replace(state, day=today, used=0) if today > state.day else state
