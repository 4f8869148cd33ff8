"""Group commit: no row is acknowledged before its commit, and none fails because of another row."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import Connection

from store.engine.database import Database
from store.engine.group_commit import GroupCommit
from store.errors import StoreUnavailable
from store.key_value import KeyValue
from store.signups.accept import Signups
from tests.store.conftest import accept, in_threads

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
INSERT = "INSERT INTO meta (key, value) VALUES (?, '')"
ORPHAN = "INSERT INTO attempts (delivery_id, started_at, carried) VALUES (0, 0, '[]')"


@pytest.fixture
def database(tmp_path: Path, open_database: Callable[[str], Database]) -> Database:
    database = open_database(f"sqlite:///{tmp_path}/app.db")
    database.prepare()
    return database


class Insert:
    """Stores keys, records each batch, and can be stopped in the middle of a transaction."""

    def __init__(self) -> None:
        self.batches: list[Sequence[str]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, connection: Connection, keys: Sequence[str]) -> None:
        self.batches.append(keys)
        for key in keys:
            connection.exec_driver_sql(INSERT, (key,))
        self.go_on.wait(20)


def leave_after(work: Callable[[], object]) -> NoReturn:
    """End a forked child, which must not go on with pytest's own code."""
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def stored(database: Database, key: str) -> bool:
    return KeyValue(database).get(key) is not None


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def together(
    group: GroupCommit[str], database: Database, pool: ThreadPoolExecutor, keys: Sequence[str]
) -> list[Future[None]]:
    """Write the keys from one thread each, all of them queued before the first gets the write lock."""
    with database.transaction():
        futures = []
        for count, key in enumerate(keys, start=1):
            futures.append(pool.submit(group.write, key))
            until(lambda expected=count: len(group._queue) == expected)  # type: ignore[misc]
        return futures


def test_writers_that_wait_share_one_commit(database: Database) -> None:
    """All rows queued while another transaction writes go to disk in one transaction, in order."""
    insert, told = Insert(), list[Sequence[str]]()
    group = GroupCommit(database, insert, committed=told.append)
    with ThreadPoolExecutor(8) as pool:
        for future in together(group, database, pool, "abcdefgh"):
            future.result(10)
    assert insert.batches == told == [list("abcdefgh")]
    assert all(stored(database, key) for key in "abcdefgh")


def test_no_writer_returns_before_the_commit(database: Database) -> None:
    """While the transaction is open no writer has returned; then all do, and those that came later too."""
    insert = Insert()
    group = GroupCommit(database, insert)
    insert.go_on.clear()
    with ThreadPoolExecutor(8) as pool:
        futures = together(group, database, pool, "abc")
        until(lambda: bool(insert.batches))
        late = pool.submit(group.write, "d")
        time.sleep(0.05)
        assert not any(future.done() for future in (*futures, late))
        assert not stored(database, "a")
        insert.go_on.set()
        for future in (*futures, late):
            future.result(5)  # a writer that is not woken leads after ten seconds
    assert insert.batches == [list("abc"), ["d"]]


def test_a_row_that_cannot_be_stored_fails_alone(database: Database) -> None:
    """Of rows committed together one is refused: its writer gets the error, the others are stored."""
    told = list[Sequence[str]]()
    group = GroupCommit(database, Insert(), committed=told.append)
    group.write("b")
    with ThreadPoolExecutor(8) as pool:
        first, second, third = together(group, database, pool, "abc")
        first.result(10)
        third.result(10)
        with pytest.raises(StoreUnavailable, match="IntegrityError"):
            second.result(10)
    assert told == [["b"], ["a"], ["c"]]
    assert stored(database, "a")
    assert stored(database, "c")


def test_a_failed_commit_fails_all_and_stores_nothing(database: Database) -> None:
    """No writer takes a failing commit for a success, and the next one starts anew."""

    def insert(connection: Connection, keys: Sequence[str]) -> None:
        for key in keys:
            connection.exec_driver_sql(INSERT, (key,))
        if broken:  # a deferred constraint: refused at the commit
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            connection.exec_driver_sql(ORPHAN)

    broken = True
    group = GroupCommit(database, insert)
    with ThreadPoolExecutor(8) as pool:
        for future in together(group, database, pool, "abc"):
            with pytest.raises(StoreUnavailable):
                future.result(10)
    assert not any(stored(database, key) for key in "abc")
    broken = False
    group.write("a")
    assert stored(database, "a")


def test_without_the_write_lock_all_writers_get_an_error_in_time(
    tmp_path: Path, open_database: Callable[[str], Database]
) -> None:
    """Another process keeps the lock: each waiting writer gets an error within the time-out of the first."""
    holder = open_database(f"sqlite:///{tmp_path}/app.db")
    waiting = Database(f"sqlite:///{tmp_path}/app.db", busy_timeout_seconds=0.3)
    group = GroupCommit(waiting, Insert())
    waiting.prepare()

    def write(index: int) -> None:
        with pytest.raises(StoreUnavailable, match="locked"):
            group.write(str(index))

    with holder.transaction():
        in_threads(4, write)
    group.write("later")
    assert stored(waiting, "later")
    assert not stored(waiting, "0")
    waiting.close()


def test_a_store_that_is_away_is_tried_once_for_all_writers(tmp_path: Path) -> None:
    """Each on its own would wait for the same time-out, one after the other."""

    class Away(Database):
        tries, go_on = 0, threading.Event()

        @contextmanager
        def transaction(self, *, committed: Callable[[], None] = lambda: None) -> Iterator[Connection]:
            self.tries += 1
            assert self.go_on.wait(10)
            raise StoreUnavailable("away")
            yield

    away = Away(f"sqlite:///{tmp_path}/app.db")
    group = GroupCommit(away, Insert())
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(group.write, key) for key in "abc"]
        until(lambda: len(group._queue) == 3)
        away.go_on.set()
        assert [str(future.exception(10)) for future in futures] == ["away"] * 3
    assert away.tries == 1


def test_a_writer_waits_no_longer_than_twice_the_timeout_for_a_stuck_leader(tmp_path: Path) -> None:
    """A disk that hangs in the leader's commit costs the others an error; their rows are not stored later."""
    database = Database(f"sqlite:///{tmp_path}/app.db", busy_timeout_seconds=0.2)
    insert = Insert()
    insert.go_on.clear()
    group = GroupCommit(database, insert)
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(group.write, "leader")
        until(lambda: bool(insert.batches))
        with pytest.raises(StoreUnavailable, match="locked"):
            pool.submit(group.write, "follower").result(10)
        insert.go_on.set()
        leader.result(10)
    group.write("later")
    assert stored(database, "leader")
    assert not stored(database, "follower")
    database.close()


def test_an_interrupted_leader_leaves_nobody_waiting(database: Database) -> None:
    """The batch of a leader that is told to exit fails, and the next writer leads."""

    def insert(_connection: Connection, keys: Sequence[str]) -> None:
        if "exit" in keys:
            raise SystemExit

    group = GroupCommit(database, insert)
    with ThreadPoolExecutor(2) as pool:
        leader, follower = together(group, database, pool, ["exit", "follower"])
        with pytest.raises(SystemExit):
            leader.result(10)
        with pytest.raises(StoreUnavailable):
            follower.result(3)
    group.write("later")


def test_a_child_forked_while_a_leader_waits_can_store(database: Database) -> None:
    """The parent's leader does not exist in the child, whose writer leads itself."""
    group = GroupCommit(database, Insert())
    with ThreadPoolExecutor(1) as pool:
        with database._backend.write_lock():
            leader = pool.submit(group.write, "parent")
            until(lambda: len(group._queue) == 1)
            child = os.fork()
            if child == 0:
                leave_after(lambda: group.write("child"))
        leader.result(10)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert stored(database, "child")
    assert stored(database, "parent")


def test_what_was_acknowledged_survives_kill_9(
    tmp_path: Path, open_database: Callable[[str], Database]
) -> None:
    """Eight threads store until the process is killed: each id they said is stored is found."""
    url = f"sqlite:///{tmp_path}/app.db"
    said, say = os.pipe()
    child = os.fork()
    if child == 0:
        own = Database(url)
        signups = Signups(own)  # one, so that its threads commit together

        def write(index: int) -> None:
            for number in range(10_000):
                accept(own, f"{index}-{number}", signups=signups)
                os.write(say, f"{index}-{number}\n".encode())

        leave_after(lambda: in_threads(8, write))
    os.close(say)
    with os.fdopen(said) as lines:
        acknowledged = [lines.readline().strip() for _ in range(300)]
        os.kill(child, signal.SIGKILL)
        acknowledged += [line.strip() for line in lines]
    os.waitpid(child, 0)
    found = Signups(open_database(url))
    assert len(acknowledged) >= 300
    assert [name for name in acknowledged if found.find(name) is None] == []
