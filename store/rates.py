"""How often something happens in a minute, counted in the transaction of what happens.

No request pays for a commit of its own, and what is rolled back was never counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection

MINUTE_MS = 60_000
# So many times over a limit it is a flood: even keeping it apart would fill the disk.
FLOOD = 5


@dataclass(frozen=True)
class Limit:
    """At most `most` events under `key` in a minute; `rule` is what people call it."""

    rule: str
    key: str
    most: int


@dataclass(frozen=True)
class Counted:
    """The rules of the limits that an event is over, and of those that it is far over."""

    over: tuple[str, ...] = ()
    flood: tuple[str, ...] = ()


def window(now: int) -> tuple[int, int]:
    """Begin and end of the minute that holds `now`, all in epoch ms."""
    start = now - now % MINUTE_MS
    return start, start + MINUTE_MS


def count(connection: Connection, events: Sequence[Sequence[Limit]], *, now: int) -> list[Counted]:
    """Count each event under its limits, for all processes together, by one statement.

    Others of the same form or network wait from here to the end of the transaction. The keys go in the same
    order in every transaction, so that no two wait for each other.

    Args:
        connection: the open transaction.
        events: for each the limits that it counts for, no key twice.
        now: epoch ms.
    """
    new = Counter(limit.key for limits in events for limit in limits)
    if not new:
        return [Counted() for _ in events]
    start, end = window(now)
    values = tuple(value for key in sorted(new) for value in (key, start, new[key], end))
    found = connection.exec_driver_sql(_hits(len(new), connection.dialect.name), values)
    before = {key: hits - new[key] for key, hits in found}
    return [_counted(limits, before) for limits in events]


def _counted(limits: Sequence[Limit], before: dict[str, int]) -> Counted:
    for limit in limits:
        before[limit.key] += 1
    return Counted(
        over=tuple(limit.rule for limit in limits if before[limit.key] > limit.most),
        flood=tuple(limit.rule for limit in limits if before[limit.key] > limit.most * FLOOD),
    )


@lru_cache(maxsize=64)
def _hits(keys: int, dialect: str) -> str:
    mark = "?" if dialect == "sqlite" else "%s"
    row = f"({', '.join([mark] * 4)})"
    return (
        f"INSERT INTO throttles (key, window_start, hits, expires_at) VALUES {', '.join([row] * keys)}"  # noqa: S608 - marks only
        " ON CONFLICT (key) DO UPDATE SET hits = excluded.hits"
        " + CASE WHEN throttles.window_start = excluded.window_start THEN throttles.hits ELSE 0 END,"
        " window_start = excluded.window_start, expires_at = excluded.expires_at RETURNING key, hits"
    )


class Floods:
    """Keys that are far over their limit, remembered by this process to the end of the minute.

    The count only grows until then, so the rest of a flood is refused without touching the store.
    """

    def __init__(self) -> None:
        self._start = 0
        self._keys: frozenset[str] = frozenset()

    def note(self, limits: Sequence[Limit], flood: Sequence[str], *, now: int) -> None:
        """Remember the keys of those limits whose rules are in `flood`, at `now` (epoch ms)."""
        start, _ = window(now)
        kept = self._keys if start == self._start else frozenset()
        self._keys = kept | {limit.key for limit in limits if limit.rule in flood}
        self._start = start

    def met(self, limits: Sequence[Limit], *, now: int) -> tuple[str, ...]:
        """The rules of those limits whose keys are remembered at `now` (epoch ms)."""
        if window(now)[0] != self._start:
            return ()
        return tuple(limit.rule for limit in limits if limit.key in self._keys)
