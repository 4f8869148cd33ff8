"""gunicorn's threaded worker, changed so that slow peers occupy no thread.

gunicorn's own (`gthread`) gives a connection a thread as soon as one byte is there, and its loop waits up to
two seconds for a peer to close. Here the loop reads head and body, sends what a peer does not read at once,
and closes; a thread has a connection only from the last byte of a request until its answer is made.
"""

import errno
import resource
import selectors
import threading
import time
from concurrent.futures import Future
from typing import Any, ClassVar

from gunicorn.errors import ConfigError
from gunicorn.workers.gthread import ThreadWorker

from serving.connection import Connection
from serving.connections import Connections
from serving.limits import Limits
from serving.sharing import NOBODY, STARTING, Loads

ACCEPTS_AT_ONCE = 32
OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
TURN_SECONDS = 1.0
START_SECONDS = 600
# How long a worker that serves more peers than another one leaves a new connection to that other one.
DEFER_ACCEPT_SECONDS = 0.003


class BufferingWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Hands complete requests to its threads; connections that wait for their peer are in `connections`."""

    limits: ClassVar[Limits] = Limits()
    clock = staticmethod(time.monotonic)
    loads: ClassVar[Loads] = Loads(time.monotonic)
    alive: bool
    place = 0  # set before the fork

    @classmethod
    def check_config(cls, cfg: Any, _log: Any) -> None:
        """Refuse settings that this worker does not support.

        Raises:
            ConfigError: TLS is configured.
        """
        if cfg.is_ssl:
            raise ConfigError("This service speaks plain HTTP. Let the web server in front of it end TLS.")

    def init_process(self) -> None:
        """Load the application, which may take longer than gunicorn lets a worker be silent, and serve."""
        self.serving = threading.Event()
        threading.Thread(target=self._notify_until_serving, name="starting", daemon=True).start()
        super().init_process()

    def run(self) -> None:
        """Serve until told to stop, then finish what has begun."""
        self.serving.set()
        self.cfg.set("sendfile", False)  # sendfile would bypass the stream
        open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.connections = Connections(
            self.poller,
            self.limits.within(open_files),
            submit=self.enqueue_req,
            keepalive=self.cfg.keepalive,
            clock=self.clock,
            log=self.log,
        )
        self.next_look = 0.0
        self.accept_at = 0.0
        self.rebalance = False
        self.stop_by = 0.0
        answers = self.method_queue
        self.poller.register(answers.fileno(), selectors.EVENT_READ, answers.run_callbacks)
        while self.alive or self._is_being_replaced():
            pause = self.accept_at - self.clock()
            self.set_accept_enabled(pause <= 0 and not self.connections.crowded)
            self._turn(min(pause, TURN_SECONDS) if pause > 0 else TURN_SECONDS)
        self._stop()

    @classmethod
    def announce(cls, place: int) -> None:
        """Report, in the master before the fork, that a worker will serve at `place`."""
        cls.loads.report(place, STARTING)

    def accept(self, listener: Any) -> None:
        """Accept connections from the listener's queue, unless another worker serves fewer peers."""
        # After the pause this worker accepts: the other one is frozen, or busier than its number says.
        has_deferred = 0 <= self.clock() - self.accept_at < DEFER_ACCEPT_SECONDS
        for _ in range(ACCEPTS_AT_ONCE):
            if not has_deferred and self._surplus() > 0:
                self.accept_at = self.clock() + DEFER_ACCEPT_SECONDS
                return
            if not self._accept_one(listener):
                return

    def handle(self, conn: Connection) -> bool:
        """Answer the request, in a thread, and send as much as the peer takes at once."""
        conn.reusable = super().handle(conn) is True and conn.parsed_as_framed
        try:
            conn.stream.flush()
        except OSError:
            conn.reusable = False
        return conn.reusable

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Answer as gunicorn does, in a thread, without what the loop has done already."""
        # To rebalance: the peer's next connection goes to the worker that serves the fewest peers.
        if not conn.frame.whole or self.rebalance:
            req.force_close()
        if conn.continue_sent or not conn.frame.whole:
            req._expected_100_continue = False  # gunicorn would send 100 Continue once more
        return bool(super().handle_request(req, conn))

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """Take the connection back, in the loop, after a thread is done with it."""
        if fs.cancelled() or fs.exception() is not None:
            conn.reusable = False
        self.connections.answered(conn)

    def _notify_until_serving(self) -> None:
        end = self.clock() + START_SECONDS
        while not self.serving.wait(TURN_SECONDS) and self.clock() < end:
            self.notify()
            self.loads.report(self.place, STARTING)

    def _accept_one(self, listener: Any) -> bool:
        try:
            peer, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as problem:
            if problem.errno not in OUT_OF_RESOURCES:
                raise
            self.connections.end_longest_waiting()
            return False
        peer.setblocking(False)
        server = listener.getsockname()
        self.connections.add(Connection(self.cfg, peer, address, server, self.limits))
        return True

    def _is_being_replaced(self) -> bool:
        """Return whether to go on: in a reload gunicorn stops workers before the new ones serve."""
        self.stop_by = self.stop_by or self.clock() + self.cfg.graceful_timeout / 2
        return self.loads.any_starting() and self.clock() < self.stop_by

    def _surplus(self) -> int:
        """Report this worker's peers; return how many more they are than the least busy worker's."""
        active = self.connections.active
        self.loads.report(self.place, active if self.alive else NOBODY)
        least = self.loads.least_of_others(self.place)
        return 0 if least is None else active - least

    def _turn(self, seconds: float) -> None:
        self.wait_for_and_dispatch_events(seconds)
        self.rebalance = self._surplus() > 1 + self.connections.active // 8
        now = self.clock()
        if now >= self.next_look:
            self.next_look = now + (TURN_SECONDS if self.alive else TURN_SECONDS / 10)
            self.notify()
            if not self.is_parent_alive():
                self.alive = False
            self.connections.expire()

    def _stop(self) -> None:
        """Answer what has come so far, also in the listeners' queues: closing those would reset the peers."""
        self.set_accept_enabled(False)
        self.loads.report(self.place, NOBODY)
        for listener in self.sockets:
            for _ in range(self.cfg.backlog):
                if not self._accept_one(listener):
                    break
            listener.close()
        end = self.clock() + self.cfg.graceful_timeout
        self.connections.stop(end)
        self.next_look = 0.0
        while len(self.connections) and self.clock() < end:
            self._turn(TURN_SECONDS / 10)
        self.tpool.shutdown(wait=False)
        self.connections.close()
        self.poller.close()
        self.method_queue.close()
