"""One database: transactions, reads, the first use, and what a fork leaves of it."""

import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from sqlalchemy import Connection, Pool, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from store.engine.circuit_breaker import CircuitBreaker
from store.engine.copies import SecondCopies
from store.engine.opening import Opening
from store.engine.postgresql.backend import PostgreSQLBackend
from store.engine.sqlite import backend as sqlite
from store.engine.sqlite.backend import SQLiteBackend
from store.errors import (
    StoreError,
    StoreMisconfigured,
    StoreSilent,
    StoreUnavailable,
    driver_errors_translated,
)

_PROBE = text(
    "INSERT INTO meta (key, value) VALUES ('probe', :value)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
# How long a command waits for a database that is being opened or migrated, having nothing else to do. Below
# the minute after which the watch over the delivery thread replaces a silent one.
PATIENCE_SECONDS = 30.0
# How long a successful probe is taken for the present state.
_PROBE_VALID_SECONDS = 1.5
# The same of free room on the disk; what is stored in that time is far less than what is kept free.
_ROOM_VALID_SECONDS = 0.1
# The part of a plain URL that holds no secret. What does not match to the end is not shown: a password that
# was not escaped may hold any of its signs.
_SERVER = re.compile(
    r"[\w+]+://(?:[^:/?#@]*(?::[^/?#@]*)?@)?(?P<where>[\w.-]+(?::\d+)?(?:/[\w.-]*)?)(?:\?[^@]*)?"
)


class Database:
    """A SQLite file or a PostgreSQL database; opening does no I/O.

    The first use, or `prepare`, creates or migrates the schema: once per process, one process at a time.
    Every method that reaches the database raises StoreUnavailable or StoreMisconfigured, never a driver's
    error. Do not nest transactions.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_seconds: float = 5.0,
        journal_rule: Callable[[tuple[int, ...]], str] = sqlite.journal_for,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take `sqlite:////absolute/path.db`, `postgresql://…` or `postgres://…`.

        Args:
            url: where the database is.
            busy_timeout_seconds: how long a writer waits for the write lock and for SQLite's own.
            journal_rule: chooses the journal mode of a new SQLite file by the library's version.
            monotonic: a clock in seconds.

        Raises:
            StoreMisconfigured: the URL has another form (the message omits it: it may hold a password).
        """
        self.busy_timeout_seconds = busy_timeout_seconds
        self._backend = _backend(url, busy_timeout_seconds, journal_rule)
        self.copies = SecondCopies(self._backend.file)
        self._engine = self._backend.engine()
        self._pid = os.getpid()
        self._pools_of_parents: list[Pool] = []
        self._mutex = threading.Lock()
        self._opening: Opening | None = None
        self._breaker = CircuitBreaker(monotonic)
        self._prepared = False
        # How long after its beginning a caller waits for an opening; a serving process sets it low.
        self.patience_seconds = PATIENCE_SECONDS
        self._monotonic = monotonic
        self._probe_valid_until = self._room_valid_until = -math.inf
        _all.add(self)

    @property
    def dialect(self) -> str:
        """The kind of database: "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    def prepare(self) -> None:
        """Create or migrate the schema unless this process has seen it current already.

        This happens anew when a SQLite file was replaced, deleted or damaged since: work goes on in the file
        that is there, or in a new one. Whoever calls while the database is being opened waits until
        `patience_seconds` after that began; a serving process, which has a spool, sets them low.

        Raises:
            StoreUpgrading: the schema is still being migrated.
            StoreError: the database could not be opened, or not within `patience_seconds`.
        """
        if self._pid != os.getpid():
            self._forget_parent()
        if self._prepared and self._backend.sound():
            return
        with self._mutex:
            if self._prepared and self._backend.sound():
                return
            if self._opening is None or self._opening.over:
                self._prepared = False
                self._opening = Opening(self._open, self._monotonic)
            opening = self._opening
        opening.wait(self.patience_seconds)

    def _open(self, upgrading: Callable[[], None]) -> None:
        with driver_errors_translated():
            self._backend.prepare(self._engine, upgrading)
        self._prepared = True

    @contextmanager
    def transaction(self, *, committed: Callable[[], None] = lambda: None) -> Iterator[Connection]:
        """Hold a write transaction: committed to disk when the block ends, rolled back when it raises.

        `committed` runs after the commit, and before the last look whether the SQLite file was replaced: who
        sets a damaged file aside later finds in the second copies what `committed` has written.
        """
        with self._errors_handled(), self._write_lock(), self._engine.connect() as connection:
            connection.exec_driver_sql(self._backend.begin)
            yield connection
            try:
                connection.commit()
            except DBAPIError:
                # The connection may still be in the transaction, which SQLAlchemy takes for ended: the pool
                # would lend it to readers, and they would read rows that were never committed.
                connection.invalidate()
                raise
            committed()
            self._backend.check_not_replaced()

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        """Hold the write lock; open the file anew when it was replaced while this thread waited."""
        for _ in range(2):
            self.prepare()
            with self._backend.write_lock():
                if self._backend.sound():
                    yield
                    return
        raise StoreUnavailable("the database file is being replaced over and over")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection in autocommit, for single reads.

        An open read transaction would hold up a commit, or keep the write-ahead log growing.
        """
        self.prepare()
        with self._errors_handled(), self._engine.connect() as connection:
            yield connection

    def probe(self) -> None:
        """Return if a sign-up could be stored now, or could 1.5 s ago; raise StoreError otherwise.

        Commits a row: a full disk shows only at the commit, and only when the file must grow for it.
        """
        if self._monotonic() < self._probe_valid_until:
            return
        with self.transaction() as connection:
            connection.execute(_PROBE, {"value": self._backend.probe})
        self._probe_valid_until = self._monotonic() + _PROBE_VALID_SECONDS

    def has_room(self) -> bool:
        """Return whether new sign-ups may take room on the disk, or could 0.1 s ago; True for a server."""
        now = self._monotonic()
        if now < self._room_valid_until:
            return True
        if self._backend.full():
            return False
        self._room_valid_until = now + _ROOM_VALID_SECONDS
        return True

    def has_ample_room(self) -> bool:
        """Return whether the disk has more room than is kept free for the sign-ups of people."""
        return not self._backend.low()

    def look_for_damage(self) -> None:
        """Examine a SQLite file as it is on disk; set a damaged one aside at once and begin a new one.

        The examination takes about 0.04 s for 100,000 sign-ups, and reads only.
        """
        self.prepare()
        if self._backend.damaged():
            self.prepare()

    def reading_back_since(self) -> int | None:
        """Return when (epoch ms) the newest file was set aside that is still to be read back, or None."""
        return self._backend.reading_back_since()

    def tidy(self, *, idle: bool) -> None:
        """Write the ballast file where it is missing; when `idle`, shrink a large write-ahead log."""
        self.prepare()
        with driver_errors_translated():
            self._backend.tidy(self._engine, idle=idle)

    def silent_seconds(self) -> float | None:
        """Return for how long a server has left every use without an answer; None when it answers."""
        return self._breaker.open_seconds()

    def description(self) -> str:
        """Return the kind and version of the database for /health, as in "SQLite 3.53.4 (journal wal)"."""
        self.prepare()
        with driver_errors_translated():
            return self._backend.description(self._engine)

    def close(self) -> None:
        """Close the idle connections; a later use opens new ones."""
        if self._pid != os.getpid():
            self._forget_parent()
        self._engine.dispose()

    @contextmanager
    def _errors_handled(self) -> Iterator[None]:
        """Translate the driver's errors, report them to the breaker, and let the backend act on them."""
        self._breaker.check()
        try:
            with driver_errors_translated():
                yield
        except StoreSilent:
            self._breaker.not_answered()
            raise
        except StoreError as error:
            self._breaker.undecided()
            self._backend.failed(error)
            raise
        except BaseException:
            self._breaker.undecided()
            raise
        self._breaker.answered()

    def _forget_parent(self) -> None:
        """Leave connections in use at the fork alone: two processes on one handle or socket damage data.

        The old pool is kept: garbage collection would close its SQLite connections, and drop the parent's
        locks.
        """
        self._pools_of_parents.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._backend.after_fork()
        self._mutex = threading.Lock()
        self._opening = None
        self._breaker.forget_parent()
        self._pid = os.getpid()


def _backend(
    url: str, busy_timeout_seconds: float, journal_rule: Callable[[tuple[int, ...]], str]
) -> SQLiteBackend | PostgreSQLBackend:
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
    except ArgumentError:
        kind = "unreadable"
    if kind == "sqlite":
        return SQLiteBackend(parsed, busy_timeout_seconds, journal_rule)
    if kind in {"postgresql", "postgres"}:
        return PostgreSQLBackend(parsed)
    raise StoreMisconfigured(
        f"DATABASE_URL: {kind} is not supported. Use postgresql://user:password@host/name or sqlite:////path.db"
    )


_all: WeakSet[Database] = WeakSet()


def _close_before_fork() -> None:
    """Close idle connections: a child's SQLite would believe it holds the locks that the parent took.

    Source: https://sqlite.org/howtocorrupt.html, "Carrying an open database connection across a fork".
    """
    for database in list(_all):
        # Not the engine's dispose, which makes a new pool: connections in use come back to this one.
        database._engine.pool.dispose()


os.register_at_fork(before=_close_before_fork)


def database_file(url: str) -> Path | None:
    """Return the file of an SQLite database, None for another one."""
    scheme, _, path = url.partition(":///")
    return Path(path.partition("?")[0]).absolute() if scheme.startswith("sqlite") else None


def place(url: str) -> str:
    """Return where a database lies: a path, or host and name, without user, password and options."""
    if file := database_file(url):
        return str(file)
    server = _SERVER.fullmatch(url)
    return server["where"] if server else "DATABASE_URL"
