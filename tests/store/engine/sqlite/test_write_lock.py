"""The write lock: order, time-outs, and holders that are killed, frozen or forked."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from store.engine.database import Database
from store.engine.sqlite.write_lock import WriteLock
from tests.store.conftest import in_processes, in_threads

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def lock(tmp_path: Path) -> WriteLock:
    return WriteLock(tmp_path / "app.db")


@contextmanager
def forked(work: Callable[[Callable[[], object]], None]) -> Iterator[int]:
    """Run `work` in a child process that is killed afterwards; the block begins once it is ready."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready)
        try:
            work(lambda: os.write(tell, b"."))
        finally:
            os._exit(0)
    os.close(tell)
    try:
        assert os.read(ready, 1) == b"."
        yield child
    finally:
        os.close(ready)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def for_ever() -> None:
    signal.pause()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_threads_get_the_lock_in_the_order_they_came(lock: WriteLock) -> None:
    """The thread that has waited longest is next."""
    order: list[int] = []

    def take(index: int) -> None:
        with lock.acquired(10):
            order.append(index)

    threads = [threading.Thread(target=take, args=(index,)) for index in range(6)]
    with lock.acquired(1):
        for index, thread in enumerate(threads):
            thread.start()
            until(lambda expected=index + 1: len(lock._threads._waiting) == expected)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == list(range(6))


def test_no_writer_starves(tmp_path: Path) -> None:
    """Of 16 writers in four processes none is overtaken for long, however busy the others are."""
    url, turns = f"sqlite:///{tmp_path}/app.db", 40
    count = "UPDATE meta SET value = value + 1 WHERE key = 'turns' RETURNING CAST(value AS INTEGER)"
    database = Database(url)
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('turns', 0)")
    database.close()

    def write(own: Database) -> int:
        worst = 0
        with own.reading() as connection:
            asked = connection.exec_driver_sql("SELECT CAST(value AS INTEGER) FROM meta").scalars().all()[-1]
        for _ in range(turns):
            with own.transaction() as connection:
                had: int = connection.exec_driver_sql(count).scalar_one()
            worst, asked = max(worst, had - asked), had
        return worst

    def child() -> None:
        own = Database(url)
        worst = max(in_threads(4, lambda _: write(own)))
        (tmp_path / f"worst-{os.getpid()}").write_text(str(worst))

    assert in_processes(4, child) == [0] * 4
    overtaken = [int(file.read_text()) for file in tmp_path.glob("worst-*")]
    # In writes, not in seconds: a busy machine slows all of them alike. A fair share is one in 16.
    assert max(overtaken) < 16 * turns // 4, overtaken


def test_a_killed_holder_releases_the_lock(lock: WriteLock) -> None:
    """SIGKILL releases the lock at once."""

    def child(say_ready: Callable[[], object]) -> None:
        with lock.acquired(1):
            say_ready()
            for_ever()

    with forked(child) as holder:
        with pytest.raises(TimeoutError), lock.acquired(0.05):
            pass
        os.kill(holder, signal.SIGKILL)
        with lock.acquired(5):
            pass


def test_a_killed_holder_releases_the_lock_although_its_child_lives(lock: WriteLock) -> None:
    """A process that the holder forked while it had the lock does not inherit it."""
    alive, end = os.pipe()

    def child(say_ready: Callable[[], object]) -> None:
        with lock.acquired(1):
            if os.fork() == 0:
                os.close(end)
                say_ready()
                os.read(alive, 1)  # until the test closes its end
                os._exit(0)
            for_ever()

    with forked(child):
        pass
    try:
        with lock.acquired(5):
            pass
    finally:
        os.close(alive)
        os.close(end)


def test_a_frozen_holder_is_waited_for_no_longer_than_the_timeout(lock: WriteLock) -> None:
    """A frozen holder costs each writer its time-out; once it goes on, the lock is free again."""

    def child(say_ready: Callable[[], object]) -> None:
        with lock.acquired(1):
            say_ready()
            os.kill(os.getpid(), signal.SIGSTOP)

    with forked(child) as holder:
        began = time.monotonic()
        with pytest.raises(TimeoutError), lock.acquired(0.3):
            pass
        assert time.monotonic() - began < 5
        os.kill(holder, signal.SIGCONT)
        with lock.acquired(10):
            pass


def test_a_frozen_waiter_does_not_stop_the_queue(lock: WriteLock) -> None:
    """A process that is frozen at the head of the queue is passed."""

    def hold(say_ready: Callable[[], object]) -> None:
        with lock.acquired(1):
            say_ready()
            for_ever()

    def queue(say_ready: Callable[[], object]) -> None:
        say_ready()
        with lock.acquired(60):
            for_ever()

    with forked(hold) as holder, forked(queue) as waiter:
        until(lambda: is_locked(lock._queue_file))
        os.kill(waiter, signal.SIGSTOP)
        os.kill(holder, signal.SIGKILL)
        began = time.monotonic()
        with lock.acquired(20):
            assert time.monotonic() - began < 10


def is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
