"""One engine for one database: transactions, reads, first use and forks."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
# For a command, which has nothing else to do; below the minute after which a silent delivery is started anew.
PATIENCE_SECONDS = 30.0
_PROBE_HOLDS_SECONDS = 1.5
# What is stored meanwhile is far less than what is kept free.
_ROOM_HOLDS_SECONDS = 0.1


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
            busy_timeout_seconds: how long a writer waits for SQLite's lock.
            journal_rule: chooses the journal mode of a new SQLite file by the library's version.
            monotonic: a clock in seconds.

        Raises:
            StoreMisconfigured: the URL is of no such form (it is not repeated: it may hold a password).
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
        self.patience_seconds = PATIENCE_SECONDS
        self._monotonic = monotonic
        self._probed_until = self._roomy_until = -math.inf
        _all.add(self)

    @property
    def dialect(self) -> str:
        """Which engine it is: "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    def prepare(self) -> None:
        """Create or migrate the schema unless this process has seen it current already.

        Again when a SQLite file was replaced, deleted or damaged since: work goes on in the file that is
        there, or in a new one. Whoever comes meanwhile waits until `patience_seconds` after the beginning; a
        serving process, which has a spool, sets them low.
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
        """A write transaction: committed to disk when the block ends, rolled back when it raises.

        `committed` runs after the commit, before the file is compared for the last time: whoever sets it
        aside later finds what `committed` wrote down.
        """
        with self._watched(), self._turn(), self._engine.connect() as connection:
            connection.exec_driver_sql(self._backend.begin)
            yield connection
            try:
                connection.commit()
            except DBAPIError:
                # It may be in the transaction still, which SQLAlchemy takes for ended: the pool would lend it
                # to readers, and they would find what was never stored.
                connection.invalidate()
                raise
            committed()
            self._backend.check_kept()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The turn to write; a file that was replaced while we waited for it is opened anew first."""
        for _ in range(2):
            self.prepare()
            with self._backend.turn():
                if self._backend.sound():
                    yield
                    return
        raise StoreUnavailable("the database file is being replaced over and over")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Single reads in autocommit: an open read would hold up a commit or keep the WAL growing."""
        self.prepare()
        with self._watched(), self._engine.connect() as connection:
            yield connection

    def probe(self) -> None:
        """Return if a sign-up could be stored now, or could a moment ago: writes, and commits.

        A full disk shows only at the commit, and only where more is written than there is room for already.
        """
        if self._monotonic() < self._probed_until:
            return
        with self.transaction() as connection:
            connection.execute(_PROBE, {"value": self._backend.probe})
        self._probed_until = self._monotonic() + _PROBE_HOLDS_SECONDS

    def has_room(self) -> bool:
        """Whether new sign-ups may take room on the disk, or could a moment ago; a server sees to its own."""
        now = self._monotonic()
        if now < self._roomy_until:
            return True
        if self._backend.full():
            return False
        self._roomy_until = now + _ROOM_HOLDS_SECONDS
        return True

    def has_ample_room(self) -> bool:
        """Whether the disk has more room than what is kept free for the sign-ups of people."""
        return not self._backend.low()

    def look_for_damage(self) -> None:
        """Examine a SQLite file as it is on disk; a damaged one is set aside at once, for a new one.

        Takes about 0.04 s for 100,000 sign-ups, and reads only.
        """
        self.prepare()
        if self._backend.damaged():
            self.prepare()

    def reading_back_since(self) -> int | None:
        """When (epoch ms) a file was set aside whose rows are still to come; None when none are."""
        return self._backend.reading_back_since()

    def tidy(self, *, idle: bool) -> None:
        """Keep the ballast on the disk, and when `idle` shrink a write-ahead log that has grown."""
        self.prepare()
        with driver_errors_translated():
            self._backend.tidy(self._engine, idle=idle)

    def silent_seconds(self) -> float | None:
        """For how long a server has not answered, as far as anybody has asked; None when it does."""
        return self._breaker.open_seconds()

    def description(self) -> str:
        """Name engine and version for /health and logs, as in "SQLite 3.53.4 (journal wal)"."""
        self.prepare()
        with driver_errors_translated():
            return self._backend.description(self._engine)

    def close(self) -> None:
        """Close the idle connections; a later use opens new ones."""
        if self._pid != os.getpid():
            self._forget_parent()
        self._engine.dispose()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Translate a failure, and let the backend act on it; a server that is silent is left alone."""
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

        The old pool is kept: collecting a SQLite connection would close it, with the parent's locks in mind.
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
    """Close what is idle: a child's SQLite would believe it holds the locks that the parent took.

    Source: https://sqlite.org/howtocorrupt.html, "Carrying an open database connection across a fork".
    """
    for database in list(_all):
        # Not the engine's dispose: connections in use find their way back into this pool.
        database._engine.pool.dispose()


os.register_at_fork(before=_close_before_fork)
