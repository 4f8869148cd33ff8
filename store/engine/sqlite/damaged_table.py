"""Reading the rows of a table in a file that is damaged in places."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from store.engine.sqlite import driver

_CHUNK = 200
_LAST_ROWID = 2**62
# So many row numbers after a damage are tried one by one; then the steps double, which may pass over a
# readable page between two damaged ones.
_ONE_BY_ONE = 2_000


@dataclass(frozen=True)
class Gap:
    """A run of row numbers that cannot be read; `rows` is their count, None where that is not known."""

    rows: int | None


def read(source: Any, table: str) -> Iterator[dict[str, Any] | Gap]:
    """Yield every row of `table` that can be read, in the order of the row numbers, and the gaps between.

    Args:
        source: a connection of the SQLite driver.
        table: a name from the schema.
    """
    if not _can_be_queried(source, table):
        yield Gap(None)
        return
    after, chunk = 0, _CHUNK
    while True:
        rows, complete = _rows(source, table, after, chunk)
        for rowid, row in rows:
            after = rowid
            yield row
        if complete and not rows:
            return
        if not complete and chunk > 1:
            chunk = 1  # the driver reads one row ahead, so the last good row of a chunk is still to be had
        elif not complete:
            found = _next_readable(source, table, after)
            if found is None:
                yield Gap(None)
                return
            yield Gap(found - after - 1)
            after, chunk = found - 1, _CHUNK


def _can_be_queried(source: Any, table: str) -> bool:
    try:
        source.execute(f"SELECT rowid FROM {table} LIMIT 0").fetchall()  # noqa: S608
    except driver.DatabaseError:
        return False
    return True


def _rows(source: Any, table: str, after: int, chunk: int) -> tuple[list[tuple[int, dict[str, Any]]], bool]:
    """Return up to `chunk` rows with their numbers, and whether the query was read to its end."""
    found: list[tuple[int, dict[str, Any]]] = []
    try:
        cursor = source.execute(
            # Not "> after": SQLite would begin at the row `after`, which may lie on a damaged page.
            f"SELECT rowid, * FROM {table} WHERE rowid >= ? ORDER BY rowid LIMIT ?",  # noqa: S608
            (after + 1, chunk),
        )
        names = [column[0] for column in cursor.description[1:]]
        for rowid, *values in cursor:
            if rowid <= after:
                return found, False  # the pages of a damaged b-tree may lead in a circle
            after = rowid
            found.append((rowid, dict(zip(names, values, strict=True))))
    except (driver.DatabaseError, UnicodeDecodeError):
        return found, False
    return found, True


def _next_readable(source: Any, table: str, after: int) -> int | None:
    """Return a row number from which reading succeeds beyond the damage after `after`; None without one."""
    for start in range(after + 2, after + _ONE_BY_ONE):
        if _readable(source, table, start):
            return start
    low, step = after + _ONE_BY_ONE, 1
    while not _readable(source, table, low + step):
        low, step = low + step, step * 2
        if low + step > _LAST_ROWID:
            return None
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _readable(source, table, middle) else (middle, high)
    return high


def _readable(source: Any, table: str, start: int) -> bool:
    try:
        rows = source.execute(
            f"SELECT rowid, * FROM {table} WHERE rowid >= ? ORDER BY rowid LIMIT 1",  # noqa: S608
            (start,),
        ).fetchall()
    except (driver.DatabaseError, UnicodeDecodeError):
        return False
    return all(row[0] >= start for row in rows)
