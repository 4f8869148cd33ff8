"""Statements that any table may need: inserting rows, and deleting those whose time is over."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, TextClause, delete, select, text

from store.errors import RowRefused

_PRUNED_AT_MOST = 100  # rows per call: the visitor whose request prunes must not pay for a long backlog


def insert_unknown(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert the columns of `row`; return False when its key is there already.

    Raises:
        RowRefused: the row has columns that the table lacks.
    """
    names = tuple(name for name in row if name in table.c)
    if len(names) != len(row):
        raise RowRefused(f"a row for {table.name} has columns that are not known")
    return bool(connection.execute(_insert_unknown(table.name, names), dict(row)).rowcount == 1)


def insert_together(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert new rows, all with the same columns, by one statement: all or none.

    Return the number of the last row on SQLite, 0 elsewhere; the rows before it have the numbers before it.

    Not by executemany: it takes a step for each row, after which the thread waits for its turn to run.
    """
    names = tuple(rows[0])
    sqlite = connection.dialect.name == "sqlite"
    placeholder = "?" if sqlite else "%s"
    values = tuple(row[name] for row in rows for name in names)
    result = connection.exec_driver_sql(_insert_many(table.name, names, len(rows), placeholder), values)
    return result.lastrowid if sqlite else 0


def prune(connection: Connection, table: Table, until: int, *, column: str = "expires_at") -> None:
    """Delete up to 100 rows of `table` whose `column` is at most `until` (epoch ms).

    Call it last in a transaction: skipping rows that others have locked, it never waits and cannot deadlock.
    """
    (key,) = table.primary_key.columns
    expired = (
        select(key).where(table.c[column] <= until).limit(_PRUNED_AT_MOST).with_for_update(skip_locked=True)
    )
    connection.execute(delete(table).where(key.in_(expired)))


@lru_cache(maxsize=64)
def _insert_many(table: str, names: tuple[str, ...], count: int, placeholder: str) -> str:
    row = f"({', '.join([placeholder] * len(names))})"
    # Names come from the schema.
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([row] * count)}"  # noqa: S608


def _insert_unknown(table: str, names: tuple[str, ...]) -> TextClause:
    values = ", ".join(f":{name}" for name in names)
    # Names come from the schema.
    return text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING")  # noqa: S608
