"""Opening, probing, forking, and what failures look like from above."""

import os
import traceback
from pathlib import Path

import pytest
from sqlalchemy import text

from store.engine.database import Database
from store.errors import StoreError, StoreMisconfigured, StoreUnavailable
from store.signups.accept import Signups
from tests.store.conftest import accept, in_processes

ADDRESS = "ada@example.org"


def test_opening_does_no_io(tmp_path: Path) -> None:
    """Wiring the application touches neither disk nor network."""
    Database(f"sqlite:///{tmp_path}/new/app.db")
    Database("postgresql://user:secret@127.0.0.1:1/app")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["mysql://user:secret@host/app", "secret nonsense", "", "sqlite://", "sqlite:///:memory:"]
)
def test_unusable_url_is_refused_without_repeating_it(url: str) -> None:
    """The message says what to write, and does not show the password."""
    with pytest.raises(StoreMisconfigured, match="DATABASE_URL") as caught:
        Database(url)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_description_names_engine_and_version(url: str, database: Database) -> None:
    """For /health: which engine, which version, on SQLite which journal."""
    kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    assert database.description().startswith(f"{kind} ")
    assert database.description().split()[1][0].isdigit()


def test_failed_block_stores_nothing(database: Database) -> None:
    """An exception in a transaction undoes it and reaches the caller as it is."""

    def fail() -> None:
        with database.transaction() as connection:
            connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('a', 'b')")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM meta WHERE key = 'a'").scalar() == 0


def test_probe_passes_and_is_not_repeated_within_a_second(url: str) -> None:
    """A healthy database passes; a second probe within 1.5 s writes nothing."""
    now = [0.0]
    database = Database(url, monotonic=lambda: now[0])

    def probed() -> bool:
        with database.transaction() as connection:
            gone = connection.exec_driver_sql("DELETE FROM meta WHERE key = 'probe'").rowcount
        return bool(gone)

    found = []
    for now[0] in (0.0, 1.0, 2.0):
        database.probe()
        found.append(probed())
    database.close()
    assert found == [True, False, True]


def test_probe_fails_while_another_holds_the_lock(url: str, database: Database) -> None:
    """A database that cannot be written now is unavailable, after the busy timeout."""
    other = Database(url, busy_timeout_seconds=0.05)
    try:
        other.prepare()
        with database.transaction() as connection:
            connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('probe', 'held')")
            with pytest.raises(StoreUnavailable, match="lock"):
                other.probe()
    finally:
        other.close()


def test_threads_of_one_process_wait_no_longer_than_the_timeout(tmp_path: Path) -> None:
    """A writer that does not get the write lock gets an error instead of hanging."""
    database = Database(f"sqlite:///{tmp_path}/app.db", busy_timeout_seconds=0.05)
    with database.transaction(), pytest.raises(StoreUnavailable, match="locked"):
        database.probe()
    database.probe()
    database.close()


def test_unreachable_server_is_unavailable() -> None:
    """A refused connection means "later", and its message has no password."""
    database = Database("postgres://user:secret@127.0.0.1:1/app")
    with pytest.raises(StoreUnavailable, match="refused") as caught:
        database.probe()
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_errors_do_not_quote_personal_data(database: Database) -> None:
    """Neither message nor traceback of a refused statement shows the values it carried."""
    statement = text("INSERT INTO meta (key, value) VALUES (:address, :address)")

    def insert() -> None:
        with database.transaction() as connection:
            connection.execute(statement, {"address": ADDRESS})

    insert()
    with pytest.raises(StoreError) as caught:
        insert()
    assert "IntegrityError" in str(caught.value) or "UniqueViolation" in str(caught.value)
    assert ADDRESS not in "".join(traceback.format_exception(caught.value))


def test_closed_database_opens_again(database: Database) -> None:
    """Closing frees the connections; the next use opens new ones."""
    accept(database, "s1")
    database.close()
    assert Signups(database).find("s1") is not None


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_opens_its_own_connection(database: Database) -> None:
    """A child never uses a connection that its parent had in use, which goes on working in the parent."""

    def child() -> None:
        for _ in range(2):
            with database.transaction() as own:
                assert own.connection.dbapi_connection is not inherited
        accept(database, f"child-{os.getpid()}")
        database.close()

    with database.reading() as connection:
        inherited = connection.connection.dbapi_connection
        assert in_processes(2, child) == [0, 0]
        assert connection.exec_driver_sql("SELECT count(*) FROM signups").scalar() == 2
    with database.reading() as connection:
        assert connection.connection.dbapi_connection is inherited


def test_idle_connection_of_a_parent_is_left_alone(database: Database) -> None:
    """A connection that went idle just before the fork is neither used nor closed in the child."""
    with database.reading() as connection:
        inherited = connection.connection.dbapi_connection
    database._pid = -1  # as in a child
    with database.reading() as connection:
        assert connection.connection.dbapi_connection is not inherited
    assert inherited is not None
    inherited.cursor().execute("SELECT 1")
    for pool in database._pools_of_parents:
        pool.dispose()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_holds_locks_of_its_own(tmp_path: Path) -> None:
    """A child's SQLite locks the file itself, not only in a memory copied from the parent."""
    path = tmp_path / "app.db"
    database = Database(f"sqlite:///{path}", journal_rule=lambda _version: "wal")
    accept(database, "parent")

    def child() -> None:
        with database.reading():
            locks = Path("/proc/locks").read_text().splitlines()
        assert any(f" {os.getpid()} " in lock and f":{path.stat().st_ino} " in lock for lock in locks)

    assert in_processes(1, child) == [0]
    database.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_child_forked_while_a_thread_had_the_write_lock_can_write(tmp_path: Path) -> None:
    """The write lock of a thread of the parent is free for the child when the parent releases it."""
    database = Database(f"sqlite:///{tmp_path}/app.db")
    database.prepare()
    with database._backend.write_lock():
        child = os.fork()
        if child == 0:
            try:
                accept(database, "child")
                os._exit(0)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert Signups(database).find("child") is not None
    database.close()
