"""Inserting rows: several in one statement, or such that may be there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, TextClause, text

from store.errors import RowRefused


def insert_unknown(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert the columns of `row`; False when its key is known already.

    Raises:
        RowRefused: the row has columns that the table lacks.
    """
    names = tuple(name for name in row if name in table.c)
    if len(names) != len(row):
        raise RowRefused(f"a row for {table.name} has columns that are not known")
    return bool(connection.execute(_statement(table.name, names), dict(row)).rowcount == 1)


def insert_together(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert new rows, all with the same columns, by one statement: all or none.

    Returns the number of the last row on SQLite, 0 elsewhere; those before it have the numbers before it.

    Not by executemany: it takes one step for each row, after which the thread waits for its turn to run.
    """
    names = tuple(rows[0])
    sqlite = connection.dialect.name == "sqlite"
    mark = "?" if sqlite else "%s"
    values = tuple(row[name] for row in rows for name in names)
    result = connection.exec_driver_sql(_many(table.name, names, len(rows), mark), values)
    return result.lastrowid if sqlite else 0


@lru_cache(maxsize=64)
def _many(table: str, names: tuple[str, ...], count: int, mark: str) -> str:
    row = f"({', '.join([mark] * len(names))})"
    # Names come from the schema.
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([row] * count)}"  # noqa: S608


def _statement(table: str, names: tuple[str, ...]) -> TextClause:
    values = ", ".join(f":{name}" for name in names)
    # Names come from the schema.
    return text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING")  # noqa: S608
