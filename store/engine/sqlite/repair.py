"""Repair of the pages that SQLite needs to open a file: its header, and the b-tree of sqlite_master.

Both are the same in every database of this release, so those of a new one can replace them: then the rows
that are left can be read. Source: https://sqlite.org/fileformat.html.
"""

import os
import tempfile
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine

from store.engine import migrate
from store.engine.files import beside
from store.engine.sqlite import driver

_MAGIC = b"SQLite format 3\0"
_PAGE = 4096
_HEADER = 100
_INNER, _LEAF = 0x05, 0x0D  # page types of a table's b-tree


def repair(path: Path) -> None:
    """Replace what is damaged of the header and of sqlite_master in a file that nobody uses."""
    new = _new_database(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        first = bytearray(os.pread(descriptor, _PAGE, 0).ljust(_PAGE, b"\0"))
        if first[_HEADER] not in (_INNER, _LEAF):
            first[_HEADER:] = new[_HEADER:_PAGE]
        if not first.startswith(_MAGIC):
            first[:_HEADER] = new[:_HEADER]
            first[28:32] = (os.fstat(descriptor).st_size // _PAGE).to_bytes(4, "big")
            first[32:40] = bytes(8)  # no free pages
        os.pwrite(descriptor, first, 0)
        if _children(bytes(first)) == _children(new):
            for number in _children(new):
                _repair_leaf(descriptor, number, new)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _repair_leaf(descriptor: int, number: int, new: bytes) -> None:
    start = (number - 1) * _PAGE
    if os.pread(descriptor, 1, start) != bytes([_LEAF]):
        os.pwrite(descriptor, new[start : start + _PAGE], start)


def _children(first: bytes) -> list[int]:
    """Return the numbers of the child pages of the sqlite_master b-tree, whose root is the first page."""
    if first[_HEADER] != _INNER:
        return []
    cells = int.from_bytes(first[_HEADER + 3 : _HEADER + 5], "big")
    pointers = (_HEADER + 12 + 2 * cell for cell in range(cells))
    offsets = [int.from_bytes(first[pointer : pointer + 2], "big") for pointer in pointers]
    return [int.from_bytes(first[offset : offset + 4], "big") for offset in (*offsets, _HEADER + 8)]


def _new_database(damaged: Path) -> bytes:
    with tempfile.TemporaryDirectory(dir=damaged.parent) as folder:
        new = Path(folder) / "new.db"
        _create(new, wal=beside(damaged, "-wal").exists())
        return new.read_bytes()


def _create(path: Path, *, wal: bool) -> None:
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
