"""The first bytes of a SQLite file: without them nothing opens it, though every row may be whole.

Source: https://sqlite.org/fileformat.html#the_database_header.
"""

import os
import tempfile
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine

from store import migrate
from store.sqlite_driver import driver

_MAGIC = b"SQLite format 3\0"
_PAGE = 4096
_HEADER = 100
_TREE = (0x05, 0x0D)  # the kinds of page that a table begins with


def mend(path: Path) -> bool:
    """Give an unused file that lost its header that of a new database; False when it has one."""
    with path.open("rb") as file:
        start = file.read(_PAGE)
    if start.startswith(_MAGIC) or len(start) < _PAGE:
        return False
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        new = Path(folder) / "new.db"
        _make_new(new, wal=path.with_name(path.name + "-wal").exists())
        page = bytearray(new.read_bytes()[:_PAGE])
    page[28:32] = (path.stat().st_size // _PAGE).to_bytes(4, "big")
    page[32:40] = bytes(8)  # no free pages
    # Where the table of tables is gone as well, that of a new database may fit: ours are made in one order.
    whole = start[_HEADER] not in _TREE
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, page if whole else page[:_HEADER], 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


def _make_new(path: Path, *, wal: bool) -> None:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        module=driver,
        connect_args={"isolation_level": None},
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA auto_vacuum = INCREMENTAL")
        if wal:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        migrate.upgrade(connection)
        connection.commit()
