"""How a worker accepts connections, and what the workers know of each other."""

import errno
import selectors
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.errors import ConfigError

from app import BODY_LIMIT
from serving.limits import Limits
from serving.sharing import FRESH_SECONDS, NOBODY, STARTING, Loads
from serving.worker import BufferingWorker


def test_what_the_application_would_read_is_read_for_it() -> None:
    """A body that the application takes is never handed over unread."""
    assert Limits().body_bytes >= BODY_LIMIT


@pytest.mark.parametrize(("open_files", "connections"), [(1_024, 768), (1_000_000, 4_096), (256, 64)])
def test_connections_leave_files_for_the_rest(open_files: int, connections: int) -> None:
    """The database, the logs and calls to others need some too."""
    assert Limits().within(open_files).connections == connections


def test_tls_is_refused_at_the_start() -> None:
    """The web server in front ends it; a certificate that was configured would be ignored otherwise."""
    config = Config()
    config.set("certfile", "certificate.pem")
    with pytest.raises(ConfigError, match="plain HTTP"):
        BufferingWorker.check_config(config, None)


class TestLoads:
    """The numbers that workers report to each other."""

    def test_the_least_of_the_others_is_known(self) -> None:
        """One's own number does not count, nor that of a worker that accepts no longer."""
        loads = Loads(lambda: 5.0)
        assert loads.least_of_others(0) is None
        for place, load in enumerate((1, 7, 4)):
            loads.report(place, load)
        assert [loads.least_of_others(place) for place in range(3)] == [4, 1, 1]
        loads.report(0, NOBODY)
        assert [loads.least_of_others(place) for place in range(3)] == [4, 4, 7]

    def test_a_worker_that_starts_is_known_until_it_serves(self) -> None:
        """Those that it replaces go on until then; connections are not left to it."""
        now = [5.0]
        loads = Loads(lambda: now[0])
        loads.report(1, STARTING)
        assert loads.any_starting()
        assert loads.least_of_others(0) is None
        loads.report(1, 0)
        assert not loads.any_starting()
        loads.report(2, STARTING)
        now[0] += FRESH_SECONDS + 0.1
        assert not loads.any_starting()

    def test_a_worker_that_is_silent_is_not_waited_for(self) -> None:
        """It is frozen or was killed: its number is old."""
        now = [5.0]
        loads = Loads(lambda: now[0])
        loads.report(1, 0)
        now[0] += FRESH_SECONDS - 0.1
        assert loads.least_of_others(0) == 0
        now[0] += 0.2
        assert loads.least_of_others(0) is None


class FailingListener:
    """A listening socket at which the same thing happens each time."""

    def __init__(self, problem: Exception) -> None:
        self._problem = problem

    def accept(self) -> object:
        raise self._problem


class ListeningWorker(BufferingWorker):
    """A worker that only accepts, with loads that no other test has reported."""

    def __init__(self, connections: Any, clock: Callable[[], float] = lambda: 5.0) -> None:
        super().__init__(1, 1, [], None, 30, Config(), None)
        self.tmp.close()
        self.connections, self.accept_at, self.clock = connections, 0.0, clock
        self.__dict__["loads"] = Loads(clock)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_lack_of_files_or_memory_ends_the_oldest_connection_and_not_the_worker(number: int) -> None:
    """In gunicorn's own worker the error ends the process with all that it serves."""
    ended = []
    connections = SimpleNamespace(active=0, end_longest_waiting=lambda: ended.append(1))
    ListeningWorker(connections).accept(FailingListener(OSError(number, "no more")))
    assert ended == [1]


def test_a_visitor_who_left_before_the_accept_is_no_fault() -> None:
    """The next connection is accepted at the next turn of the loop."""
    ListeningWorker(SimpleNamespace(active=0)).accept(FailingListener(ConnectionAbortedError()))


def test_a_worker_that_serves_more_leaves_the_next_one_to_another_but_not_for_long() -> None:
    """After 3 ms it accepts: the other may be frozen."""
    now = [100.0]
    worker = ListeningWorker(SimpleNamespace(active=3), clock=lambda: now[0])
    worker.loads.report(1, 2)
    worker.accept(FailingListener(AssertionError("not yet")))
    assert worker.accept_at > now[0]
    now[0] = worker.accept_at
    with pytest.raises(AssertionError, match="now"):
        worker.accept(FailingListener(AssertionError("now")))


def test_a_signal_in_the_middle_of_a_turn_is_not_lost() -> None:
    """SIGTERM may come at any instruction, also while the worker looks for its parent."""
    worker = ListeningWorker(SimpleNamespace(active=0, expire=lambda: None))
    worker.poller, worker.notify, worker.next_look = selectors.DefaultSelector(), lambda: None, 0.0
    worker.method_queue.init()
    worker.is_parent_alive = lambda: worker.handle_exit(signal.SIGTERM, None) is None
    try:
        worker._turn(0)
    finally:
        worker.poller.close()
        worker.method_queue.close()
    assert not worker.alive
