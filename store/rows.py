"""Inserting rows that may be there already, from the spool or from another file."""

from collections.abc import Mapping
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


def _statement(table: str, names: tuple[str, ...]) -> TextClause:
    values = ", ".join(f":{name}" for name in names)
    # Names come from the schema.
    return text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING")  # noqa: S608
