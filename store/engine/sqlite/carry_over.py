"""Taking over from a database file that was set aside what a new one must not start without.

The tokens, the day's budget and the numbering come first, before the new file is used; see `salvage` for the
rest.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, or_, select, text, update

from store.engine.sqlite import driver, repair
from store.engine.sqlite.damaged_table import Gap, read
from store.engine.statements import insert_unknown
from store.errors import RowRefused, driver_errors_translated
from store.schema import budget, deliveries, metadata
from store.schema import connection as connection_table

# More than the log, if it was lost, or a process while the file was being moved, may have given out.
_AHEAD = 1_000_000
_NUMBERED = (
    "SELECT max(seq, (SELECT coalesce(max(id), 0) FROM deliveries))"
    " FROM sqlite_sequence WHERE name = 'deliveries'"
)
GROWING = ("signups", "suspected_signups", "deliveries", "events", "attempts")
# The vendor has it: read anew it is whole, and nobody needs to know which of its rows were damaged.
READ_ANEW = ("opt_outs", "opt_out_refresh")


def adopt(old: Path, connection: Connection) -> None:
    """Take over the small tables of the file `old` into an open connection to the new one; never fails.

    What cannot be read stays as in a new database: then the connection has to be made again.
    """
    with suppress(driver.Error, OSError), closing(opened(old)) as source:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _number_beyond(source, connection)
        adopt_tables(source, connection)
        connection.commit()


def adopt_tables(source: Any, connection: Connection) -> None:
    """Insert the readable rows of the small tables; tokens and budget only where they are ahead of ours."""
    for table in metadata.sorted_tables:
        if table.name not in {*GROWING, *READ_ANEW}:
            for row in _rows(source, table.name):
                with suppress(RowRefused, KeyError), driver_errors_translated(), connection.begin_nested():
                    _adopt_row(connection, table, row)


def _adopt_row(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    row = {name: value for name, value in row.items() if name in table.c}
    if table is connection_table:
        # Not over a consent given since, nor over newer tokens.
        mine = table.c
        older = or_(
            mine.generation == 0,
            (mine.connected_at == row["connected_at"]) & (mine.generation < row["generation"]),
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


def _number_beyond(source: Any, connection: Connection) -> None:
    """Number new deliveries after all old ones: one contact's sign-ups are delivered by their numbers."""
    # Where they cannot be read: beyond those of any file before, since none counts faster than milliseconds.
    beyond = time.time_ns() // 1_000_000
    with suppress(driver.Error, TypeError, IndexError):
        beyond = source.execute(_NUMBERED).fetchall()[0][0] + _AHEAD
    highest = connection.scalar(select(func.coalesce(func.max(deliveries.c.id), 0)))
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = 'deliveries'"))
    connection.execute(
        text("INSERT INTO sqlite_sequence (name, seq) VALUES ('deliveries', :seq)"),
        {"seq": max(beyond, highest or 0)},
    )


def _rows(source: Any, table: str) -> Iterator[dict[str, Any]]:
    return (entry for entry in read(source, table) if not isinstance(entry, Gap))


def opened(old: Path) -> Any:
    """A connection of the driver to a file that was set aside; what keeps it from opening is mended first."""
    with suppress(driver.Error), closing(_connected(old)) as source:
        source.execute("SELECT count(*), max(sql) FROM sqlite_master").fetchall()
        return _connected(old)
    repair.mend(old)
    return _connected(old)


def _connected(old: Path) -> Any:
    source = driver.connect(f"{old.as_uri()}?mode=rw", uri=True, timeout=5, isolation_level=None)
    # A file that is shorter than its header says is refused otherwise.
    source.execute("PRAGMA writable_schema = ON")
    source.execute("PRAGMA cell_size_check = ON")
    return source
