"""A SQLite file that is damaged, or taken away while it is in use: noticing it, and keeping what there was.

A damaged file goes on accepting writes (five garbage pages among 5,000 rows: all of 200 inserts succeeded),
so it is looked for. Source: https://sqlite.org/howtocorrupt.html, https://sqlite.org/pragma.html#pragma_quick_check.
"""

from __future__ import annotations

import calendar
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Engine

from store.engine.files import beside, size
from store.engine.sqlite import driver
from store.errors import StoreMisconfigured

log = structlog.get_logger(__name__)

_FAMILY = ("", "-wal", "-shm", "-journal")
AWAITING = ("damaged", "removed")
_SIGNS = ("malformed", "not a database", "disk I/O error")
# What a check says of rows; no reason to leave the file.
_OF_ROWS = ("CHECK constraint failed", "NULL value in", "non-unique")


def find(path: Path, *, timeout: float) -> str | None:
    """What is wrong with the file as it is on disk, None for a sound one or one that cannot be looked at.

    Opens it anew: a connection that is in use would answer from its own memory.
    """
    try:
        with closing(driver.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=timeout)) as connection:
            connection.execute("PRAGMA cell_size_check = ON")
            rows = connection.execute("PRAGMA quick_check(20)").fetchall()
    except driver.DatabaseError as error:
        return str(error) if any(sign in str(error) for sign in _SIGNS) else None
    told = [line for row in rows for line in str(row[0]).splitlines()]
    wrong = [line for line in told if line != "ok" and not line.startswith(_OF_ROWS)]
    return "; ".join(wrong[:3]) or None


def set_aside_if_damaged(path: Path, *, ours: bool, in_use: bool, timeout: float) -> Path | None:
    """Move a damaged file and its journals away together, so that an empty one can take its place.

    Args:
        path: the database; the caller holds the migration lock.
        ours: whether this program has used the folder before.
        in_use: whether this process has had tables in the file already.
        timeout: seconds to wait for SQLite's lock.

    Returns:
        The new name, None when nothing was moved.

    Raises:
        StoreMisconfigured: something that is no database lies where none of ours ever was.
    """
    wrong = _wrong(path, timeout, in_use=in_use)
    if wrong is None:
        return None
    if not ours:
        raise StoreMisconfigured(
            f"{path}: {wrong}. Move the file away, restore a backup, or correct DATABASE_URL."
        )
    aside = set_aside(path, "damaged")
    log.critical("sqlite_file_damaged", problem=wrong, kept_as=aside.name)
    return aside


def set_aside(path: Path, why: str) -> Path:
    """Rename the file with its journals: left behind, they would be applied to the next file of that name."""
    aside = _free_name(path, why)
    for suffix in _FAMILY:
        with suppress(FileNotFoundError):
            beside(path, suffix).rename(beside(aside, suffix))
    return aside


def asides(path: Path) -> list[Path]:
    """The files that were set aside and are not read back yet, oldest first."""
    found = (file for why in AWAITING for file in path.parent.glob(f"{path.name}.{why}-*"))
    return sorted(file for file in found if not file.name.endswith((*_FAMILY[1:], "-draft")))


def set_aside_at(aside: Path) -> int:
    """When that was (epoch ms), by the name."""
    _, day, time_of_day, _ = aside.name.rsplit("-", 3)
    return calendar.timegm(time.strptime(day + time_of_day, "%Y%m%d%H%M%S")) * 1000


def put_away(aside: Path) -> Path:
    """Rename a file that was read back; it is kept for a person to look at and delete."""
    new = aside
    for why in AWAITING:
        new = new.with_name(new.name.replace(f".{why}-", f".kept-{why}-"))
    for suffix in _FAMILY:
        with suppress(FileNotFoundError):
            beside(aside, suffix).rename(beside(new, suffix))
    return new


def kept(path: Path) -> list[Path]:
    """The files that were read back and are still there."""
    found = path.parent.glob(f"{path.name}.kept-*")
    return sorted(file for file in found if not file.name.endswith(_FAMILY[1:]))


def idle_connections(engine: Engine) -> int:
    """How many connections are open and not in use."""
    idle: int = getattr(engine.pool, "checkedin", int)()
    return idle


def rescue(engine: Engine, path: Path, known: tuple[int, int] | None) -> Path | None:
    """Copy what an idle connection can still read of a file that was deleted or moved while in use.

    `known` is the file's device and inode. Without such a connection the copy is empty, so that the sign-ups
    are taken from their second copies. None when another process has set this very file aside. Two processes
    may both make a copy; the second one brings nothing new.
    """
    ours = path.parent.glob(f"{path.name}.*-????????-*")  # the names that are given here
    if any((status.st_dev, status.st_ino) == known for status in map(Path.stat, ours)):
        return None
    if not path.exists() and any(beside(path, suffix).exists() for suffix in _FAMILY):
        set_aside(path, "orphaned")
    _wait_for_quiet_journal(path)
    held = [engine.pool.connect() for _ in range(idle_connections(engine))]
    try:
        # The last one out is the one that was opened first.
        rescued = _copied(held[-1].dbapi_connection, path) if held else None
        return rescued or _empty(path)
    finally:
        for connection in held:
            connection.close()


def _wait_for_quiet_journal(path: Path) -> None:
    # The old connection would take the new file's journal for its own, and undo it.
    rest = threading.Event()
    for _ in range(100):
        if not size(beside(path, "-journal")):
            return
        rest.wait(0.01)


def _copied(source: Any, path: Path) -> Path | None:
    aside = _free_name(path, "removed")
    draft = beside(aside, "-draft")
    try:
        draft.touch(0o600)
        with closing(driver.connect(str(draft))) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
        draft.rename(aside)
    except (driver.Error, OSError) as error:
        log.critical("removed_file_not_rescued", error=type(error).__name__)
        draft.unlink(missing_ok=True)
        return None
    log.critical("removed_file_rescued", kept_as=aside.name)
    return aside


def _empty(path: Path) -> Path | None:
    aside = _free_name(path, "removed")
    with suppress(OSError):
        aside.touch(0o600)
        log.critical("removed_file_cannot_be_read", stands_for_it=aside.name)
        return aside
    return None


def _wrong(path: Path, timeout: float, *, in_use: bool) -> str | None:
    if not path.exists():
        left = [suffix for suffix in _FAMILY[1:] if size(beside(path, suffix))]
        return f"the file is gone, its {left[0]} is not" if left else None
    if path.stat().st_size == 0:
        # SQLite would delete a log that it finds beside an empty file.
        return "the file is empty" if in_use or size(beside(path, "-wal")) else None
    # Twice: what is moved away here is everything there is.
    return find(path, timeout=timeout) and find(path, timeout=timeout)


def _free_name(path: Path, why: str) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    names = (path.with_name(f"{path.name}.{why}-{stamp}-{number}") for number in range(1, 10_000))
    return next(name for name in names if not any(beside(name, suffix).exists() for suffix in _FAMILY))
