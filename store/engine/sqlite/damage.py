"""A SQLite file that is damaged, or removed while it is in use: noticing that, and setting aside the rest.

A damaged file goes on accepting writes (five garbage pages among 5,000 rows: all of 200 inserts succeeded),
so files are examined. A file that is set aside is renamed, as in `app.db.damaged-20261121-093000-1`, until
its rows are read back into the new file, and to `app.db.kept-damaged-…` after that. Sources:
https://sqlite.org/howtocorrupt.html, https://sqlite.org/pragma.html#pragma_quick_check.
"""

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

# A database file and those that SQLite keeps beside it.
_SUFFIXES = ("", "-wal", "-shm", "-journal")
# Why a file was set aside whose rows are to be read back.
_TO_READ_BACK = ("damaged", "removed")
_ERRORS_OF_DAMAGE = ("malformed", "not a database", "disk I/O error")
# Findings about the values of rows, which are no reason to leave the file.
_FINDINGS_IN_ROWS = ("CHECK constraint failed", "NULL value in", "non-unique")


def find(path: Path, *, timeout: float) -> str | None:
    """Return what is damaged in the file on disk; None for a sound one, or one that cannot be examined.

    Opens the file anew: a connection that is in use would answer from its page cache.
    """
    try:
        with closing(driver.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=timeout)) as connection:
            connection.execute("PRAGMA cell_size_check = ON")
            rows = connection.execute("PRAGMA quick_check(20)").fetchall()
    except driver.DatabaseError as error:
        return str(error) if any(part in str(error) for part in _ERRORS_OF_DAMAGE) else None
    findings = [line for row in rows for line in str(row[0]).splitlines()]
    damages = [line for line in findings if line != "ok" and not line.startswith(_FINDINGS_IN_ROWS)]
    return "; ".join(damages[:3]) or None


def set_aside_if_damaged(path: Path, *, ours: bool, in_use: bool, timeout: float) -> Path | None:
    """Rename a damaged file together with its journals, so that an empty file can take its place.

    Args:
        path: the database; the caller holds the migration lock.
        ours: whether this program has used the folder before.
        in_use: whether this process has had tables in the file already.
        timeout: seconds to wait for SQLite's lock.

    Returns:
        The new name, None when nothing was moved.

    Raises:
        StoreMisconfigured: a file that is no database lies where this program never had one.
    """
    problem = _problem(path, timeout, in_use=in_use)
    if problem is None:
        return None
    if not ours:
        raise StoreMisconfigured(
            f"{path}: {problem}. Move the file away, restore a backup, or correct DATABASE_URL."
        )
    aside = set_aside(path, "damaged")
    log.critical("sqlite_file_damaged", problem=problem, kept_as=aside.name)
    return aside


def set_aside(path: Path, why: str) -> Path:
    """Rename the file and its journals, which SQLite would else apply to the next file of that name."""
    aside = _free_name(path, why)
    _rename(path, aside)
    return aside


def to_read_back(path: Path) -> list[Path]:
    """Return the files that were set aside and are not read back yet, oldest first."""
    found = (file for why in _TO_READ_BACK for file in path.parent.glob(f"{path.name}.{why}-*"))
    return sorted(file for file in found if not file.name.endswith((*_SUFFIXES[1:], "-draft")))


def set_aside_at(aside: Path) -> int:
    """Return when (epoch ms) the file was set aside, as its name says."""
    _, day, time_of_day, _ = aside.name.rsplit("-", 3)
    return calendar.timegm(time.strptime(day + time_of_day, "%Y%m%d%H%M%S")) * 1000


def mark_read_back(aside: Path) -> None:
    """Rename a file that was read back; it is kept for a person to look at and delete."""
    new = aside
    for why in _TO_READ_BACK:
        new = new.with_name(new.name.replace(f".{why}-", f".kept-{why}-"))
    _rename(aside, new)


def already_read_back(path: Path) -> list[Path]:
    """Return the files that were read back and that nobody has deleted yet."""
    found = path.parent.glob(f"{path.name}.kept-*")
    return sorted(file for file in found if not file.name.endswith(_SUFFIXES[1:]))


def idle_connections(engine: Engine) -> int:
    """Return how many connections are open and not in use."""
    idle: int = getattr(engine.pool, "checkedin", int)()
    return idle


def rescue_removed(engine: Engine, path: Path, identity: tuple[int, int] | None) -> Path | None:
    """Copy what an idle connection can still read of a file that was deleted or moved while in use.

    `identity` is the file's device and inode. Without an idle connection the copy is empty, so that the
    sign-ups are read from their second copies. Return None when another process has set this very file aside.
    Two processes may both make a copy; reading back the second one adds nothing.
    """
    set_aside_before = path.parent.glob(f"{path.name}.*-????????-*")  # names made by `_free_name`
    if any((status.st_dev, status.st_ino) == identity for status in map(Path.stat, set_aside_before)):
        return None
    if not path.exists() and any(beside(path, suffix).exists() for suffix in _SUFFIXES):
        set_aside(path, "orphaned")
    _wait_for_empty_journal(path)
    idle = [engine.pool.connect() for _ in range(idle_connections(engine))]
    try:
        # The pool lends the connection last that was opened first.
        rescued = _copied(idle[-1].dbapi_connection, path) if idle else None
        return rescued or _empty(path)
    finally:
        for connection in idle:
            connection.close()


def _rename(path: Path, new: Path) -> None:
    for suffix in _SUFFIXES:
        with suppress(FileNotFoundError):
            beside(path, suffix).rename(beside(new, suffix))


def _wait_for_empty_journal(path: Path) -> None:
    # The old connection would take the new file's rollback journal for its own, and roll it back.
    pause = threading.Event()
    for _ in range(100):
        if not size(beside(path, "-journal")):
            return
        pause.wait(0.01)


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


def _problem(path: Path, timeout: float, *, in_use: bool) -> str | None:
    if not path.exists():
        left = [suffix for suffix in _SUFFIXES[1:] if size(beside(path, suffix))]
        return f"the file is gone, its {left[0]} is not" if left else None
    if path.stat().st_size == 0:
        # SQLite would delete a write-ahead log that it finds beside an empty file.
        return "the file is empty" if in_use or size(beside(path, "-wal")) else None
    # Examined twice, since a finding moves the whole database away.
    return find(path, timeout=timeout) and find(path, timeout=timeout)


def _free_name(path: Path, why: str) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    names = (path.with_name(f"{path.name}.{why}-{stamp}-{number}") for number in range(1, 10_000))
    return next(name for name in names if not any(beside(name, suffix).exists() for suffix in _SUFFIXES))
