"""How much room suspected sign-ups may take, counted in the transaction that stores them.

One row holds the sum, so that no sign-up waits for a scan; it also counts those that were not kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, text, update

from store.schema.signups import suspected_room, suspected_signups

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class SuspectedCeiling:
    """How many suspected sign-ups, and bytes of them, are kept until somebody decides on them."""

    rows: int = 10_000
    bytes: int = 50 * MEGABYTE


CEILING = SuspectedCeiling()


@dataclass(frozen=True)
class SuspectedRoom:
    """How much waits for a decision, and how many were not kept, the last at `dropped_at` (epoch ms)."""

    rows: int
    bytes: int
    dropped: int
    dropped_at: int | None


READ = select(suspected_room)
WAITING = suspected_signups.c.released_at.is_(None)
SUM = select(func.count(), func.coalesce(func.sum(suspected_signups.c.bytes), 0)).where(WAITING)
_TAKE = text(
    "INSERT INTO suspected_room (name, rows, bytes, dropped, dropped_at)"
    " VALUES ('default', :rows, :bytes, :dropped, :dropped_at)"
    " ON CONFLICT (name) DO UPDATE SET rows = suspected_room.rows + excluded.rows,"
    " bytes = suspected_room.bytes + excluded.bytes, dropped = suspected_room.dropped + excluded.dropped,"
    " dropped_at = coalesce(excluded.dropped_at, suspected_room.dropped_at) RETURNING rows, bytes"
)
_NOTHING = SuspectedRoom(0, 0, 0, None)
_LOCK = READ.with_for_update()
_COUNTED = update(suspected_room).values(rows=bindparam("counted"), bytes=bindparam("summed"))


class Room:
    """Decides which of those that arrive together are kept."""

    def __init__(self, ceiling: SuspectedCeiling, *, ample: Callable[[], bool]) -> None:
        """`ample` tells whether the disk has more room than what is kept free for sign-ups of people."""
        self._ceiling = ceiling
        self._ample = ample

    def take(self, connection: Connection, arriving: Sequence[tuple[int, bool]], *, now: int) -> list[bool]:
        """Take room for suspected sign-ups of so many bytes each; False for each that is not to be kept.

        One that is proven to come from a person is always kept. `now` is epoch ms.
        """
        added = sum(size for size, _ in arriving)
        rows, size_now = self._book(connection, len(arriving), added)
        rows, size_now = rows - len(arriving), size_now - added
        kept = []
        ample = self._ample()
        for size, proven in arriving:
            fits = ample and rows < self._ceiling.rows and size_now + size <= self._ceiling.bytes
            kept.append(proven or fits)
            if kept[-1]:
                rows, size_now = rows + 1, size_now + size
        if not all(kept):
            dropped = [size for (size, _), stays in zip(arriving, kept, strict=True) if not stays]
            self._book(connection, -len(dropped), -sum(dropped), dropped=len(dropped), dropped_at=now)
        return kept

    @staticmethod
    def _book(
        connection: Connection, rows: int, size: int, *, dropped: int = 0, dropped_at: int | None = None
    ) -> tuple[int, int]:
        values = {"rows": rows, "bytes": size, "dropped": dropped, "dropped_at": dropped_at}
        found = connection.execute(_TAKE, values).one()
        return found.rows, found.bytes


def room(connection: Connection) -> SuspectedRoom:
    """Return how much room is taken."""
    row = connection.execute(READ).one_or_none()
    return SuspectedRoom(row.rows, row.bytes, row.dropped, row.dropped_at) if row else _NOTHING


def recount(connection: Connection) -> None:
    """Count anew after some were released, deleted or brought in; last in its transaction."""
    # Lock the row first: what another transaction stores meanwhile is then counted once, by it or here.
    connection.execute(_LOCK)
    counted, summed = connection.execute(SUM).one()
    connection.execute(_COUNTED, {"counted": counted, "summed": summed})
