"""A PostgreSQL server that does not answer, and one that is being migrated: no caller waits for long."""

import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, make_url

from store.engine.circuit_breaker import CircuitBreaker
from store.engine.database import Database
from store.engine.migrate import configuration
from store.engine.postgresql.backend import PostgreSQLBackend
from store.engine.postgresql.statement_limits import answers_within
from store.errors import StoreSilent, StoreUnavailable, StoreUpgrading
from store.outbox.deliveries import Deliveries
from store.signups.accept import Signups
from tests.store.conftest import accept
from tests.support.postgresql_server import new_database

# Time for a busy machine; without limits each of these would last for half a minute and more.
SOON = 4.0


@pytest.fixture
def server_url(postgresql_url: str, postgresql_template: str) -> Iterator[str]:
    with new_database(postgresql_url, template=postgresql_template) as url:
        yield url


@pytest.fixture
def old_url(postgresql_url: str) -> Iterator[str]:
    """Yield the URL of a database with the schema before the last migration."""
    with new_database(postgresql_url) as url:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            command.upgrade(configuration(connection), "0005")
        engine.dispose()
        yield url


@contextmanager
def soon(seconds: float = SOON) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def sleep(database: Database) -> None:
    with database.reading() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(60)")


@pytest.mark.postgresql
def test_a_read_has_an_end_on_both_sides(server_url: str, open_database: Callable[[str], Database]) -> None:
    """The statement is also cancelled on the server, where it would otherwise go on without a reader."""
    database = open_database(server_url)
    database.prepare()
    with answers_within(0.3), soon(), pytest.raises(StoreSilent, match="has not answered"):
        sleep(database)
    at_work = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'"
    with psycopg.connect(server_url, autocommit=True) as other:
        for _ in range(200):
            if other.execute(at_work).fetchone() == (0,):
                break
            threading.Event().wait(0.02)
        else:
            raise AssertionError("it goes on")


@pytest.mark.postgresql
def test_a_read_that_waits_for_a_lock_has_an_end(
    server_url: str, open_database: Callable[[str], Database]
) -> None:
    """A person who alters a table by hand must not stop the service."""
    database = open_database(server_url)
    database.prepare()
    with ExitStack() as stack:
        other = stack.enter_context(psycopg.connect(server_url))
        other.execute("SET LOCAL idle_in_transaction_session_timeout = '10s'")
        other.execute("LOCK TABLE signups IN ACCESS EXCLUSIVE MODE")
        with answers_within(0.3), soon(), pytest.raises(StoreSilent):
            Signups(database).find("s1")
        other.rollback()


@pytest.mark.postgresql
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="stops a process of the server")
def test_a_server_process_that_hangs_is_left_alone(
    server_url: str, open_database: Callable[[str], Database]
) -> None:
    """It acknowledges each packet, so no time-out of the network ends this; afterwards all goes on."""
    database = open_database(server_url)
    with database.reading() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with stopped(pid), answers_within(0.3), soon():
        assert Signups(database).find("s1") is None, "another process of the server answers"
    with database.reading() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with stopped(parent_of(pid)), stopped(pid):
        with answers_within(0.3), soon(6), pytest.raises(StoreSilent):
            accept(database, "s1")
        with soon(0.5), pytest.raises(StoreSilent, match="has not answered for"):
            database.probe()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            database.probe()
            break
        except StoreSilent:
            threading.Event().wait(0.1)
    assert Signups(database).find("s1") is None
    assert Deliveries(database).backlog().pending == 0


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_server_that_takes_connections_and_says_nothing_has_an_end() -> None:
    """As behind a load balancer whose server is gone: the first try takes 3 s, then one is made every 2 s."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        database = Database(f"postgresql://u:p@127.0.0.1:{listener.getsockname()[1]}/app?connect_timeout=1")
        stack.callback(database.close)
        with soon(8), pytest.raises(StoreUnavailable):
            database.probe()
        database.patience_seconds = 0.2
        with soon(), pytest.raises(StoreUnavailable, match="not answered"):
            database.probe()


def test_while_one_use_tries_the_server_the_others_fail_at_once() -> None:
    """One try at a time, every 2 s; another failure lets the next use try; an answer closes the breaker."""
    now = [100.0]
    breaker = CircuitBreaker(lambda: now[0])
    breaker.check()
    assert breaker.open_seconds() is None
    breaker.not_answered()
    now[0] += 1
    with pytest.raises(StoreSilent, match="for 1 s"):
        breaker.check()
    now[0] += 1
    breaker.check()
    now[0] += 6
    with pytest.raises(StoreSilent, match="for 8 s"):
        breaker.check()
    breaker.undecided()
    breaker.check()
    breaker.not_answered()
    now[0] += 2
    breaker.check()
    now[0] += 13
    breaker.check()  # the use that tried has died
    breaker.answered()
    breaker.check()
    assert breaker.open_seconds() is None


@pytest.mark.postgresql
def test_a_migration_behind_a_dump_holds_up_nobody(old_url: str) -> None:
    """It waits a second at most for a lock and lets others pass; a use meanwhile gets StoreUpgrading."""
    with ExitStack() as stack:
        dump = stack.enter_context(psycopg.connect(old_url))
        for table in ("signups", "deliveries", "forms", "meta"):
            dump.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        old_release = stack.enter_context(psycopg.connect(old_url, autocommit=True))
        old_release.execute("SET statement_timeout = '5s'")
        databases = [Database(old_url) for _ in range(2)]
        for database in databases:
            stack.callback(database.close)
            database.patience_seconds = 0.3
            with soon(), pytest.raises(StoreUpgrading):
                database.probe()
        longest = 0.0
        for _ in range(6):
            began = time.monotonic()
            old_release.execute("SELECT count(*) FROM signups, deliveries, forms")
            longest = max(longest, time.monotonic() - began)
            for database in databases:
                with soon(0.5), pytest.raises(StoreUpgrading):
                    database.probe()
            threading.Event().wait(0.1)
        assert longest < 2, "a reader queues behind the migration for its one second at most"
        dump.rollback()
        for database in databases:
            database.patience_seconds = 30
            database.prepare()
            accept(database, f"s{id(database)}")


@pytest.mark.postgresql
def test_a_migration_may_take_its_time_but_not_to_wait(
    old_url: str, open_database: Callable[[str], Database]
) -> None:
    """The work is long on a large database, whatever the role's own limits are."""
    with psycopg.connect(old_url, autocommit=True) as admin:
        name = make_url(old_url).database
        admin.execute(f'ALTER DATABASE "{name}" SET statement_timeout = 3000')
    engine = PostgreSQLBackend(make_url(old_url)).engine()
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with engine.connect() as connection:
        connection.exec_driver_sql(PostgreSQLBackend._begin_migration)
        found = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]
        connection.rollback()
    engine.dispose()
    assert found == ["0", "1s", "0"]
    open_database(old_url).prepare()


@pytest.mark.postgresql
def test_many_processes_that_start_at_once_migrate_once(old_url: str) -> None:
    """No process waits in the server for the migration lock, which would occupy a connection."""
    with ExitStack() as stack:
        databases = [Database(old_url) for _ in range(6)]
        for database in databases:
            stack.callback(database.close)
        threads = [threading.Thread(target=database.prepare) for database in databases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        for number, database in enumerate(databases):
            accept(database, f"s{number}")


def test_a_use_while_a_file_is_opened_waits_no_longer_than_patience_seconds(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The same on SQLite: another process holds the file's migration lock."""
    folder = tmp_path_factory.mktemp("opened")
    database = Database(f"sqlite:///{folder}/app.db")
    lock = os.open(folder / "app.db-migration-lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    database.patience_seconds = 0.2
    with soon(), pytest.raises(StoreUpgrading):
        database.probe()
    with soon(0.15), pytest.raises(StoreUpgrading):
        database.probe()
    os.close(lock)
    database.patience_seconds = 30
    database.probe()
    database.close()
