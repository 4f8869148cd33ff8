"""One engine for one database: transactions, reads, first use and forks."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

from sqlalchemy import Connection, Pool, make_url
from sqlalchemy.exc import ArgumentError

from store import sqlite
from store.errors import StoreMisconfigured, driver_errors_translated
from store.postgresql import PostgreSQLBackend
from store.sqlite import SQLiteBackend

_PROBE = (
    "INSERT INTO meta (key, value) VALUES ('probe', '')"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
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
    ) -> None:
        """Take `sqlite:////absolute/path.db`, `postgresql://…` or `postgres://…`.

        Args:
            url: where the database is.
            busy_timeout_seconds: how long a writer waits for SQLite's lock.
            journal_rule: chooses the journal mode of a new SQLite file by the library's version.

        Raises:
            StoreMisconfigured: the URL is of no such form (it is not repeated: it may hold a password).
        """
        self._backend = _backend(url, busy_timeout_seconds, journal_rule)
        self._engine = self._backend.engine()
        self._pid = os.getpid()
        self._pools_of_parents: list[Pool] = []
        self._opening = threading.Lock()
        self._prepared = False
        _all.add(self)

    @property
    def dialect(self) -> str:
        """Which engine it is: "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    def prepare(self) -> None:
        """Create or migrate the schema unless this process has seen it current already."""
        if self._pid != os.getpid():
            self._forget_parent()
        if self._prepared:
            return
        with self._opening, driver_errors_translated():
            if not self._prepared:
                self._backend.prepare(self._engine)
                self._prepared = True

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction: committed to disk when the block ends, rolled back when it raises."""
        self.prepare()
        with driver_errors_translated(), self._backend.turn(), self._engine.connect() as connection:
            connection.exec_driver_sql(self._backend.begin)
            yield connection
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Single reads in autocommit: an open read would hold up a commit or keep the WAL growing."""
        self.prepare()
        with driver_errors_translated(), self._engine.connect() as connection:
            yield connection

    def probe(self) -> None:
        """Return if a sign-up could be stored now: takes a write transaction, writes, rolls back."""
        with self.transaction() as connection:
            connection.exec_driver_sql(_PROBE)
            connection.rollback()

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

    def _forget_parent(self) -> None:
        """Leave connections in use at the fork alone: two processes on one handle or socket damage data.

        The old pool is kept: collecting a SQLite connection would close it, with the parent's locks in mind.
        """
        self._pools_of_parents.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._backend.after_fork()
        self._opening = threading.Lock()
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
