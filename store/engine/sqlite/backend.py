"""SQLite as a database that keeps what it acknowledged: journal mode, pragmas, the file and its place.

Sources: https://sqlite.org/pragma.html, https://sqlite.org/wal.html, https://sqlite.org/howtocorrupt.html.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import URL, Connection, Engine, create_engine, event, select

from store.engine import migrate
from store.engine.files import beside, try_flock
from store.engine.sqlite import damage, driver
from store.engine.sqlite.carry_over import carry_over
from store.engine.sqlite.disk_reserve import DiskReserve
from store.engine.sqlite.write_lock import WriteLock
from store.errors import StoreDamaged, StoreError, StoreFull, StoreMisconfigured, StoreUnavailable
from store.schema.access import meta

log = structlog.get_logger(__name__)

FileIdentity = tuple[int, int]
Version = tuple[int, ...]
_NETWORK = ("nfs", "cifs", "smb", "9p", "fuse", "ceph", "glusterfs", "lustre", "afs")
_LARGE_LOG_BYTES = 16 * 1024 * 1024
# A file up to this size is examined when it is opened, which takes about 0.2 s; a larger one in the
# background.
_EXAMINED_AT_START_BYTES = 256 * 1024 * 1024
_EXPECTED_PRAGMAS = {"synchronous": 2, "foreign_keys": 1, "cell_size_check": 1}


def has_wal_reset_fix(version: Version) -> bool:
    """Return whether WAL mode is safe: up to 3.51.2 a checkpoint racing a writer can lose commits.

    Fixed in 3.51.3 and in the branches 3.50 (.7) and 3.44 (.6), see https://sqlite.org/wal.html.
    """
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def journal_for(version: Version) -> str:
    """Return the journal mode for a new database: the fast one where it is safe, else TRUNCATE.

    Not DELETE, which does not sync the unlink: after a power cut the old journal undoes the last commit.
    """
    return "wal" if has_wal_reset_fix(version) else "truncate"


def network_file_system(path: Path, mounts: str) -> str | None:
    """Return the type of the network file system that holds `path`, else None; `mounts` is /proc/mounts."""
    best = ("", "")
    for line in mounts.splitlines():
        _, mount_point, kind, *_ = line.split(" ")
        point = mount_point.replace("\\040", " ")
        # A later mount on the same point hides the earlier one, hence >=.
        if path.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1] if best[1].startswith(_NETWORK) else None


def file_identity(path: Path | str) -> FileIdentity | None:
    """Return device and inode of the file at `path`, None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a path object costs as much again, on every use
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


class SQLiteBackend:
    """One database file. Writers queue for a write lock of ours, since SQLite's own waiting starves some."""

    # More than fits into the rest of a page, so that the file or its journal must grow.
    probe = "0" * 16_384
    begin = "BEGIN IMMEDIATE"  # a deferred transaction that reads and then writes fails without waiting

    def __init__(self, url: URL, busy_timeout_seconds: float, journal_rule: Callable[[Version], str]) -> None:
        if not url.database or url.database == ":memory:":
            raise StoreMisconfigured(
                "DATABASE_URL: SQLite needs a file, as in sqlite:////home/app/data/app.db"
            )
        self.file = self._path = Path(url.database).absolute()
        self._file_name = str(self._path)
        self._timeout = busy_timeout_seconds
        self._journal_rule = journal_rule
        self._journal: str | None = None
        self._identity: tuple[FileIdentity | None, FileIdentity | None] | None = None
        self._lock = WriteLock(self._path)
        self._perhaps_damaged = False
        self._disk = DiskReserve(self._path.parent)

    def engine(self) -> Engine:
        """Build the engine. A connection serves one thread at a time: it is checked out per `with` block."""
        engine = create_engine(
            # mode=rw: SQLite must not create a file that is missing.
            URL.create("sqlite", database=self._path.as_uri(), query={"uri": "true", "mode": "rw"}),
            module=driver,
            # None: Python begins no transaction by itself; ours begin by an explicit BEGIN IMMEDIATE.
            connect_args={"isolation_level": None, "timeout": self._timeout},
            pool_size=5,
            max_overflow=15,
            pool_timeout=self._timeout,
            pool_use_lifo=True,
            hide_parameters=True,
        )
        event.listen(engine, "connect", self._configure)
        return engine

    def after_fork(self) -> None:
        """Begin a new queue of writers: a thread of the parent may have held the write lock at the fork."""
        self._lock.forget_parent()

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Hold the write lock; wait for it at most the busy timeout."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lock.acquired(self._timeout))
            except TimeoutError:
                raise StoreUnavailable("database is locked by another writer") from None
            yield

    def prepare(self, engine: Engine, upgrading: Callable[[], None]) -> None:
        """Create or migrate the file; one process at a time, whatever their number.

        `upgrading` is called before it is migrated, by this process or another.

        Raises:
            StoreMisconfigured: network file system, newer or damaged schema, changed journal mode.
        """
        with suppress(FileNotFoundError):  # no /proc outside Linux
            kind = network_file_system(self._path, Path("/proc/mounts").read_text())
            if kind:
                raise StoreMisconfigured(
                    f"{self._path} is on a network file system ({kind}), where SQLite's locks fail."
                    " Put DATA_DIR on a local disk, or use PostgreSQL by DATABASE_URL."
                )
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._migration_lock(upgrading) as ever_used:
            old = self._leave_old_file(engine, ever_used=ever_used)
            self._create_file()
            with engine.connect() as connection:
                if not migrate.is_current(connection):
                    upgrading()
                    self._migrate(connection)
                if old is not None:
                    carry_over(old, connection)
                self._journal = connection.scalar(select(meta.c.value).where(meta.c.key == "journal_mode"))
            engine.dispose()  # this connection was opened before the journal mode was known
            with engine.connect():
                self._identity, self._perhaps_damaged = self._identity_now(), False
        self._disk.fill()
        if self._journal == "wal" and not has_wal_reset_fix(driver.sqlite_version_info):
            log.warning("sqlite_wal_unsafe", version=driver.sqlite_version, cure="install pysqlite3")

    def description(self, _engine: Engine) -> str:
        """Return the library's version and the journal mode."""
        return f"SQLite {driver.sqlite_version} (journal {self._journal})"

    def sound(self) -> bool:
        """Return whether the file is still the one that was opened, and no error has shown damage of it."""
        return not self._perhaps_damaged and self._identity_now() == self._identity

    def damaged(self) -> bool:
        """Examine the file; the next `prepare` sets a damaged one aside."""
        emptied = self._path.stat().st_size == 0
        self._perhaps_damaged = (
            self._perhaps_damaged or emptied or damage.find(self._path, timeout=self._timeout) is not None
        )
        return self._perhaps_damaged

    def low(self) -> bool:
        """Return whether the rest of the disk is kept for the sign-ups of people, not for suspected ones."""
        return self._disk.low()

    def full(self) -> bool:
        """Return whether the rest of the disk is kept for finishing the deliveries of accepted sign-ups."""
        return self._disk.full()

    def reading_back_since(self) -> int | None:
        """Return when (epoch ms) the newest file that is still to be read back was set aside."""
        return max(map(damage.set_aside_at, damage.to_read_back(self._path)), default=None)

    def check_not_replaced(self) -> None:
        """Refuse to acknowledge a commit to a file that was moved or deleted: nobody would find it again."""
        if self._identity_now() != self._identity:
            raise StoreUnavailable(f"{self._path} was replaced while in use")

    def failed(self, error: StoreError) -> None:
        """Delete the ballast on a full disk; have a file that shows damage examined before the next use."""
        if isinstance(error, StoreFull) and self._disk.release():
            log.critical("ballast_released", problem="The disk is full.")
        self._perhaps_damaged = self._perhaps_damaged or isinstance(error, StoreDamaged)

    def tidy(self, engine: Engine, *, idle: bool) -> None:
        """Write the ballast where it is missing; when `idle`, checkpoint a large write-ahead log."""
        self._disk.fill()
        if not idle:
            return
        log_file = beside(self._path, "-wal")
        with suppress(FileNotFoundError):
            if log_file.stat().st_size > _LARGE_LOG_BYTES:
                with self.write_lock(), engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _migration_lock(self, must_wait: Callable[[], None]) -> Iterator[bool]:
        """Hold a lock file beside the database; yield True when it existed, so the folder was used before.

        `must_wait` is called when another process holds the lock. The file is never deleted: a process that
        waits for it would then lock a file without a name.
        """
        lock = beside(self._path, "-migration-lock")
        ever_used = lock.exists()
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            if not try_flock(descriptor):
                must_wait()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield ever_used
        finally:
            os.close(descriptor)

    def _leave_old_file(self, engine: Engine, *, ever_used: bool) -> Path | None:
        """Set aside a file that must not be used any more, and return its path; None for a sound file."""
        opened, here = self._identity, file_identity(self._path)
        replaced = opened is not None and self._identity_now() != opened
        file = opened[0] if opened is not None else None
        self._identity = self._journal = None
        old = None
        if replaced and (here != file or damage.idle_connections(engine)):
            log.critical("sqlite_file_replaced", missing=here is None, only_its_log=here == file)
            old = damage.rescue_removed(engine, self._path, file if here != file else None)
        elif here is None or self._perhaps_damaged or self._path.stat().st_size <= _EXAMINED_AT_START_BYTES:
            old = damage.set_aside_if_damaged(
                self._path, ours=ever_used, in_use=opened is not None, timeout=self._timeout
            )
        engine.dispose()
        return old

    def _create_file(self) -> None:
        # Only a new file: closing any descriptor of a file in use drops SQLite's locks on it.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def _migrate(self, connection: Connection) -> None:
        journal = None
        if not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
            journal = self._journal_rule(driver.sqlite_version_info)
            connection.exec_driver_sql("PRAGMA auto_vacuum = INCREMENTAL")  # only before the first table
            connection.exec_driver_sql(f"PRAGMA journal_mode = {journal}")
        connection.exec_driver_sql(self.begin)
        migrate.upgrade(connection)
        if journal:
            connection.execute(meta.insert().values(key="journal_mode", value=journal))
        connection.commit()

    def _configure(self, connection: Any, _record: object) -> None:
        """Set the pragmas that last for one connection only, and read them back."""
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "cell_size_check = ON", "mmap_size = 0"):
            connection.execute(f"PRAGMA {pragma}")
        for name, expected in _EXPECTED_PRAGMAS.items():
            self._compare(name, expected, connection.execute(f"PRAGMA {name}").fetchone()[0])
        if self._journal:
            change = " = TRUNCATE" if self._journal == "truncate" else ""
            if change:  # TRUNCATE lasts for one connection, but setting it must not end a file's WAL mode
                kept = connection.execute("PRAGMA journal_mode").fetchone()[0]
                self._compare("journal_mode", "not wal", "wal" if kept == "wal" else "not wal")
            found = connection.execute(f"PRAGMA journal_mode{change}").fetchone()[0]
            self._compare("journal_mode", self._journal, found)

    def _compare(self, name: str, expected: object, found: object) -> None:
        if found != expected:
            raise StoreMisconfigured(
                f"PRAGMA {name} of {self._path} is {found}, expected {expected}."
                " Another program changed it: stop that program and set it back with the sqlite3 shell."
            )

    def _identity_now(self) -> tuple[FileIdentity | None, FileIdentity | None]:
        """Return the identities of the file at our path and of its log, which holds the last commits."""
        log_file = None
        if self._journal == "wal":
            log_file = file_identity(self._file_name + "-wal")
        return file_identity(self._file_name), log_file
