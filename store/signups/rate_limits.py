"""Rate limits: how often something happens in any minute, hour and day, counted in its own transaction.

No request needs a commit of its own for it, and what is rolled back is not counted.

Each window is cut into six slices, and the slice that has begun counts together with the six before it. So no
interval as long as the window holds more than the limit, wherever it begins; an event counts for the window's
length at least and for a sixth more at most (a minute: 60 to 70 seconds).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection

from store.schema.signups import RATE_SLICES, RATE_WINDOWS

# So many times over a limit it is a flood: even the suspected sign-ups would fill the disk.
FLOOD = 5
_KEYS_REMEMBERED = 10_000
_LONGEST_SLICE_MS = max(RATE_WINDOWS.values()) // RATE_SLICES


@dataclass(frozen=True)
class Limit:
    """At most so many events under `key` in any `minute`, `hour` and `day`; None: no limit there.

    `rule` is what people call it.
    """

    rule: str
    key: str
    minute: int | None = None
    hour: int | None = None
    day: int | None = None

    @property
    def most(self) -> tuple[int | None, ...]:
        """Return the limits in the order of the windows."""
        return tuple(getattr(self, window) for window in RATE_WINDOWS)


@dataclass(frozen=True)
class Flood:
    """An event was far over the limit of `key`; the count is lower at `until` (epoch ms) at the earliest."""

    rule: str
    key: str
    until: int


@dataclass(frozen=True)
class Counted:
    """The rules of the limits that an event is over, and the limits that it is far over.

    A rule that is broken by the hour or the day is named so: `address_rate_hour`.
    """

    over: tuple[str, ...] = ()
    flood: tuple[Flood, ...] = ()


def count(connection: Connection, events: Sequence[Sequence[Limit]], *, now: int) -> list[Counted]:
    """Count each event under its limits, for all processes together, by one statement.

    Other transactions of the same form or network wait from here to the end of this one. The keys are in the
    same order in every transaction, so that no two wait for each other.

    Args:
        connection: the open transaction.
        events: for each the limits that it counts for, no key twice.
        now: epoch ms.
    """
    new = Counter(limit.key for limits in events for limit in limits)
    if not new:
        return [Counted() for _ in events]
    slices = [now // (window_ms // RATE_SLICES) for window_ms in RATE_WINDOWS.values()]
    expires_at = now + _LONGEST_SLICE_MS * (RATE_SLICES + 1)
    values = tuple(
        value
        for key in sorted(new)
        for value in (key, expires_at, *(part for begun in slices for part in (begun, new[key])))
    )
    found = connection.exec_driver_sql(_hits(len(new), connection.dialect.name), values)
    before = {key: [hits - new[key] for hits in by_window] for key, *by_window in found}
    return [_counted(limits, before, now) for limits in events]


def _counted(limits: Sequence[Limit], before: dict[str, list[int]], now: int) -> Counted:
    over, flood = list[str](), list[Flood]()
    for limit in limits:
        hits = before[limit.key] = [number + 1 for number in before[limit.key]]
        limited = [
            (window, number, most)
            for window, number, most in zip(RATE_WINDOWS, hits, limit.most, strict=True)
            if most is not None
        ]
        broken = [window for window, number, most in limited if number > most]
        if broken:
            over.append(limit.rule if broken[0] == "minute" else f"{limit.rule}_{broken[0]}")
        far = [window for window, number, most in limited if number > most * FLOOD]
        if far:
            flood.append(Flood(limit.rule, limit.key, _slice_ends(RATE_WINDOWS[far[-1]], now)))
    return Counted(tuple(over), tuple(flood))


def _slice_ends(window_ms: int, now: int) -> int:
    slice_ms = window_ms // RATE_SLICES
    return now - now % slice_ms + slice_ms


@lru_cache(maxsize=64)
def _hits(keys: int, dialect: str) -> str:
    names = ["key", "expires_at", *(f"{window}_{part}" for window in RATE_WINDOWS for part in ("slice", 0))]
    mark = "?" if dialect == "sqlite" else "%s"
    row = f"({', '.join([mark] * len(names))})"
    changes = ["expires_at = excluded.expires_at", *(_moved(window) for window in RATE_WINDOWS)]
    sums = [" + ".join(f"{window}_{place}" for place in range(RATE_SLICES + 1)) for window in RATE_WINDOWS]
    # Names come from the schema.
    return (
        f"INSERT INTO rates ({', '.join(names)}) VALUES {', '.join([row] * keys)}"  # noqa: S608
        f" ON CONFLICT (key) DO UPDATE SET {', '.join(changes)} RETURNING key, {', '.join(sums)}"
    )


def _moved(window: str) -> str:
    """Return SQL that moves the slices on to the slice of the new events, newest first, and adds the events.

    An event that is a little behind the newest slice, as other processes' clocks and waits make it, counts as
    new. One that is a window behind came after a clock was set back: then counting begins anew.
    """
    begun = f"rates.{window}_slice"
    later = f"(excluded.{window}_slice - {begun})"
    still = f"WHEN {later} BETWEEN -{RATE_SLICES} AND 0"
    changes = [f"{window}_slice = CASE {still} THEN {begun} ELSE excluded.{window}_slice END"]
    for place in range(RATE_SLICES + 1):
        moves = [f"{still} THEN rates.{window}_{place}"]
        moves += [f"WHEN {later} = {by} THEN rates.{window}_{place - by}" for by in range(1, place + 1)]
        added = f"excluded.{window}_0 + " if place == 0 else ""
        changes.append(f"{window}_{place} = {added}CASE {' '.join(moves)} ELSE 0 END")
    return ", ".join(changes)


class Floods:
    """Keys that are far over their limit, remembered by this process while the count cannot fall.

    Until then the rest of a flood is refused without touching the store.
    """

    def __init__(self) -> None:
        self._until: dict[str, int] = {}

    def note(self, flood: Sequence[Flood], *, now: int) -> None:
        """Remember the keys of the `flood` that was met at `now` (epoch ms)."""
        if len(self._until) > _KEYS_REMEMBERED:
            self._until = {key: until for key, until in self._until.items() if until > now}
        for each in flood:
            self._until[each.key] = each.until

    def met(self, limits: Sequence[Limit], *, now: int) -> tuple[Flood, ...]:
        """Return those of the `limits` whose keys are remembered at `now` (epoch ms)."""
        known = ((limit, self._until.get(limit.key, 0)) for limit in limits)
        # A clock that was set back leaves times too far in the future.
        return tuple(
            Flood(limit.rule, limit.key, until)
            for limit, until in known
            if 0 < until - now <= _LONGEST_SLICE_MS
        )
