"""Reading the rows of a table whose file is damaged in places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from store.engine.sqlite import driver

_CHUNK = 200
_LAST_ROWID = 2**62
# Further on, steps are doubled: a readable page between two damaged ones may then be passed over.
_ONE_BY_ONE = 2_000


@dataclass(frozen=True)
class Gap:
    """Row numbers in a row that cannot be read; `rows` is None where their number is not known."""

    rows: int | None


def read(source: Any, table: str) -> Iterator[dict[str, Any] | Gap]:
    """Every row of `table` that can be read, in the order of their row numbers, and the gaps between.

    Args:
        source: a connection of the SQLite driver.
        table: a name from the schema.
    """
    if not _can_be_asked(source, table):
        yield Gap(None)
        return
    after, chunk = 0, _CHUNK
    while True:
        rows, whole = _rows(source, table, after, chunk)
        for rowid, row in rows:
            after = rowid
            yield row
        if whole and not rows:
            return
        if not whole and chunk > 1:
            chunk = 1  # the driver reads one row ahead, so the last good one of a chunk is still to be had
        elif not whole:
            found = _next_readable(source, table, after)
            if found is None:
                yield Gap(None)
                return
            yield Gap(found - after - 1)
            after, chunk = found - 1, _CHUNK


def _can_be_asked(source: Any, table: str) -> bool:
    try:
        source.execute(f"SELECT rowid FROM {table} LIMIT 0").fetchall()  # noqa: S608
    except driver.DatabaseError:
        return False
    return True


def _rows(source: Any, table: str, after: int, chunk: int) -> tuple[list[tuple[int, dict[str, Any]]], bool]:
    """Up to one chunk of rows, and whether the chunk was read to its end."""
    found: list[tuple[int, dict[str, Any]]] = []
    try:
        cursor = source.execute(
            # Not "> after": that row may lie on the torn page before.
            f"SELECT rowid, * FROM {table} WHERE rowid >= ? ORDER BY rowid LIMIT ?",  # noqa: S608
            (after + 1, chunk),
        )
        names = [column[0] for column in cursor.description[1:]]
        for rowid, *values in cursor:
            if rowid <= after:
                return found, False  # a torn tree may lead in a circle
            after = rowid
            found.append((rowid, dict(zip(names, values, strict=True))))
    except (driver.DatabaseError, UnicodeDecodeError):
        return found, False
    return found, True


def _next_readable(source: Any, table: str, after: int) -> int | None:
    """Where reading succeeds again beyond the damage that begins after `after`; None when nowhere."""
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
