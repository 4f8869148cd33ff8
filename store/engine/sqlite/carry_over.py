"""Copying from a damaged database file, which was set aside, the rows that a new one must not start without.

The tokens, the day's quota and the numbering of deliveries are copied before the new file is used; the
growing tables follow later, see `store/recovery/salvage.py`.
"""

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, or_, select, text, update

from store.engine.sqlite import driver
from store.engine.sqlite.damaged_table import Gap, read
from store.engine.sqlite.repair import repair
from store.engine.statements import insert_unknown
from store.errors import RowRefused, driver_errors_translated
from store.schema.columns import metadata
from store.schema.connection import connection as oauth_connection
from store.schema.outbox import budget, deliveries

# More than the ids that a lost write-ahead log may hold, or that a process gave out while the file was moved.
_IDS_SKIPPED = 1_000_000
_LAST_ID = (
    "SELECT max(seq, (SELECT coalesce(max(id), 0) FROM deliveries))"
    " FROM sqlite_sequence WHERE name = 'deliveries'"
)
# Sign-ups before their deliveries, and those before their calls.
GROWING = ("signups", "suspected_signups", "deliveries", "events", "attempts")
# Read from the vendor again instead, so that nobody needs to know which of their rows were damaged.
READ_ANEW = ("opt_outs", "opt_out_refresh")


def carry_over(old: Path, connection: Connection) -> None:
    """Copy the small tables of the file `old` through an open connection to the new file; never fail.

    A table that cannot be read stays as in a new database; without the tokens, an admin has to connect again.
    """
    with suppress(driver.Error, OSError), closing(opened(old)) as source:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _continue_numbering(source, connection)
        carry_over_tables(source, connection)
        connection.commit()


def carry_over_tables(source: Any, connection: Connection) -> None:
    """Insert the readable rows of the small tables; tokens and quota only where they are newer than here."""
    for table in metadata.sorted_tables:
        if table.name not in {*GROWING, *READ_ANEW}:
            for row in _rows(source, table.name):
                with suppress(RowRefused, KeyError), driver_errors_translated(), connection.begin_nested():
                    _carry_over_row(connection, table, row)


def _carry_over_row(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    row = {name: value for name, value in row.items() if name in table.c}
    if table is oauth_connection:
        # Replaces neither an authorization that was given since, nor newer tokens.
        here = table.c
        older = or_(
            here.generation == 0,
            (here.connected_at == row["connected_at"]) & (here.generation < row["generation"]),
        )
        _replace(connection, table, row, older)
    elif table is budget:
        fewer = or_(budget.c.day < row["day"], (budget.c.day == row["day"]) & (budget.c.used < row["used"]))
        _replace(connection, table, row, fewer)
    else:
        insert_unknown(connection, table, row)


def _replace(connection: Connection, table: Table, row: dict[str, Any], condition: Any) -> None:
    connection.execute(
        update(table).where(table.c.name == bindparam("which"), condition).values(**row),
        {"which": row["name"]},
    )


def _continue_numbering(source: Any, connection: Connection) -> None:
    """Number new deliveries after all old ones: one contact's deliveries go out in the order of their ids."""
    # Where the last id cannot be read: epoch ms, since no file has given out more than one id a millisecond.
    first_id = time.time_ns() // 1_000_000
    with suppress(driver.Error, TypeError, IndexError):
        first_id = source.execute(_LAST_ID).fetchall()[0][0] + _IDS_SKIPPED
    highest = connection.scalar(select(func.coalesce(func.max(deliveries.c.id), 0)))
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = 'deliveries'"))
    connection.execute(
        text("INSERT INTO sqlite_sequence (name, seq) VALUES ('deliveries', :seq)"),
        {"seq": max(first_id, highest or 0)},
    )


def _rows(source: Any, table: str) -> Iterator[dict[str, Any]]:
    return (entry for entry in read(source, table) if not isinstance(entry, Gap))


def opened(old: Path) -> Any:
    """Return a driver's connection to a file that was set aside, after a repair where it is needed."""
    with suppress(driver.Error), closing(_connected(old)) as source:
        source.execute("SELECT count(*), max(sql) FROM sqlite_master").fetchall()
        return _connected(old)
    repair(old)
    return _connected(old)


def _connected(old: Path) -> Any:
    source = driver.connect(f"{old.as_uri()}?mode=rw", uri=True, timeout=5, isolation_level=None)
    # SQLite otherwise refuses a file that is shorter than its header says.
    source.execute("PRAGMA writable_schema = ON")
    source.execute("PRAGMA cell_size_check = ON")
    return source
