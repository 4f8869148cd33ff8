"""PostgreSQL, direct or behind a transaction pooler: no session state, no LISTEN, no session locks."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from store.engine import migrate
from store.engine.postgresql.statement_limits import LimitedConnection, answers_within
from store.errors import StoreMisconfigured

log = structlog.get_logger(__name__)

# Any number, as long as it is the same in all processes.
_MIGRATION_LOCK = 5_313_410_377

# lock_not_available, deadlock_detected: another program reads the table, or another process migrates it.
_LOCKED_BY_OTHERS = ("55P03", "40P01")
_LONGEST_GAP_SECONDS = 4.0
_PING_SECONDS = 1.5
# For one statement of a migration, on a database with the sign-ups of years.
_MIGRATION_SECONDS = 3_600.0

_LOOPBACK = ("127.0.0.1", "::1")

# A view: settings that a managed host hides are missing in it, where SHOW would raise.
_SETTINGS = (
    "SELECT name, setting FROM pg_settings WHERE name IN"
    " ('synchronous_commit', 'fsync', 'full_page_writes', 'neon.timeline_id', 'server_encoding')"
    " UNION ALL SELECT 'aurora', 'on' WHERE to_regproc('aurora_version') IS NOT NULL"
)
_DURABLE = ("synchronous_commit", "fsync", "full_page_writes")
# These keep the log of changes on other machines, and so switch off what guards a disk of their own:
# https://neon.com/docs/reference/compatibility#neon-postgres-parameter-settings
_OWN_STORAGE = ("neon.timeline_id", "aurora")


def with_sslmode(url: URL) -> URL:
    """Return the URL with TLS asked for where it does not say and the host is in a public network."""
    hosts = url.query.get("host", url.host or "")
    host = hosts if isinstance(hosts, str) else hosts[0]
    # A name without a dot lives on this machine or in a private network (a container, Replit's "helium"),
    # where servers seldom offer TLS.
    private = host in _LOOPBACK or host.startswith("/") or "." not in host
    if "sslmode" in url.query or private:
        return url
    return url.update_query_dict({"sslmode": "require"})


def durability_problem(settings: Mapping[str, str]) -> str | None:
    """Return which of a server's settings would lose acknowledged rows, and the cure; None where none would.

    Source: https://www.postgresql.org/docs/current/non-durability.html
    """
    if any(name in settings for name in _OWN_STORAGE):
        return None
    for name in _DURABLE:
        if settings.get(name, "on") != "on":
            return (
                f"PostgreSQL runs with {name} = {settings[name]}: a crash would lose sign-ups that were"
                f" acknowledged. As its superuser run ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();"
                " or use another server by DATABASE_URL."
            )
    return None


def encoding_problem(settings: Mapping[str, str]) -> str | None:
    """Return why a database cannot store every name, and the cure; None for one in UTF-8."""
    encoding = settings.get("server_encoding", "UTF8")
    if encoding == "UTF8":
        return None
    return (
        f"The PostgreSQL database is in the encoding {encoding}, which cannot hold the names of all people."
        " Make one in UTF-8 (CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0) and name it by"
        " DATABASE_URL."
    )


class PostgreSQLBackend:
    """One PostgreSQL database; connections are in autocommit, transactions begin by `begin`."""

    # One round trip. SET LOCAL: behind a pooler, session settings would leak to other clients. The server
    # may have synchronous_commit off, which loses acknowledged rows in a crash.
    begin = (
        "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = '5s';"
        " SET LOCAL lock_timeout = '2s'; SET LOCAL idle_in_transaction_session_timeout = '10s'"
    )
    # A migration may take long once it has its locks; until then it waits a second at most.
    _begin_migration = (
        "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '1s';"
        " SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
    )

    def __init__(self, url: URL) -> None:
        self._url = with_sslmode(url.set(drivername="postgresql+psycopg"))

    def engine(self) -> Engine:
        """Build the engine: few connections (small hosted plans allow about 97), renewed after 240 s."""
        engine = create_engine(
            self._url,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "connect_timeout": 3,
                "client_encoding": "UTF8",  # whatever PGCLIENTENCODING says
                "tcp_user_timeout": 10_000,  # ms; keepalives do not end a wait for the receipt of sent data
                "prepare_threshold": None,  # a transaction pooler hands each transaction another server
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
            },
            pool_pre_ping=True,
            pool_recycle=240,
            pool_size=3,
            max_overflow=2,
            pool_timeout=5,
            hide_parameters=True,
        )
        event.listen(engine, "do_connect", _connect)
        ping = engine.dialect.do_ping

        def quick_ping(dbapi_connection: Any) -> bool:
            with answers_within(_PING_SECONDS):
                return ping(dbapi_connection)

        # The ping before each use finds out whether a pooled connection still stands.
        engine.dialect.do_ping = quick_ping  # type: ignore[method-assign]
        return engine

    # What SQLiteBackend does for its file; a server's disk, files and backups are its operator's task.
    probe = ""
    file = None

    def sound(self) -> bool:
        """Return True: the server guards its own files."""
        return True

    def damaged(self) -> bool:
        """Return False: the server reports damage and a full disk by itself."""
        return False

    low = full = damaged

    def reading_back_since(self) -> int | None:
        """Return None: a server's files are never set aside."""
        return None

    def after_fork(self, *_: object, **__: object) -> None:
        """Do nothing: there is no lock, file or disk here to look after."""

    check_not_replaced = failed = tidy = after_fork

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Hold nothing: the server queues writers itself."""
        yield

    def prepare(self, engine: Engine, upgrading: Callable[[], None]) -> None:
        """Create or migrate the schema, one process at a time; `upgrading` is called before.

        A dump, or any other long read, keeps a migration from its locks, and every later statement queues
        behind one that waits for a lock. So the migration waits a second at most, then lets the others pass.

        Raises:
            StoreMisconfigured: newer or damaged schema, a server that loses what it acknowledged, or a
                database that is not in UTF-8.
        """
        with engine.connect() as connection:
            self._check_settings(connection)
            if migrate.is_current(connection):
                return
        upgrading()
        for tries in itertools.count():
            if self._migrated(engine):
                return
            log.warning("database_upgrade_waits", cause="another process migrates, or a dump holds its locks")
            threading.Event().wait(min(_LONGEST_GAP_SECONDS, 0.25 * 2 ** min(tries, 10)))

    def _migrated(self, engine: Engine) -> bool:
        """Try to migrate once; return False when another process or program has the locks."""
        with answers_within(_MIGRATION_SECONDS), engine.connect() as connection:
            connection.exec_driver_sql(self._begin_migration)
            ours = connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({_MIGRATION_LOCK})").scalar()
            try:
                if migrate.is_current(connection):
                    connection.rollback()
                    return True
                if ours:
                    migrate.upgrade(connection)
            except OperationalError as error:
                connection.rollback()
                if getattr(error.orig, "sqlstate", None) not in _LOCKED_BY_OTHERS:
                    raise
                return False
            connection.commit()
            return bool(ours)

    def _check_settings(self, connection: Connection) -> None:
        connection.exec_driver_sql(self.begin)
        rows = connection.exec_driver_sql(_SETTINGS).all()
        connection.rollback()
        settings = {row.name: row.setting for row in rows}
        problem = encoding_problem(settings) or durability_problem(settings)
        if problem:
            raise StoreMisconfigured(problem)

    def description(self, engine: Engine) -> str:
        """Return the server's version, as in "PostgreSQL 16.4"."""
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        return f"PostgreSQL {str(version).split(' ', maxsplit=1)[0]}"


def _connect(
    _dialect: Any, _record: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> LimitedConnection:
    return LimitedConnection.connect(*args, **options)
