"""Turns to write, in order: first among the threads of a process, then among the processes.

SQLite's own waiting polls with growing pauses: who has just written writes again, and others wait for
seconds. This only keeps the order. What keeps the data right is still the transaction.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from store.engine.files import beside, try_flock

_POLL_SECONDS = 0.0003  # flock has no timeout, and a thread that waits in the kernel cannot be called back
_PATIENCE_SECONDS = 0.25  # a frozen process in the queue must not stop the others

_held: set[int] = set()


class WriteLock:
    """One holder at a time on this machine; one that is killed lets go, for the kernel drops its locks."""

    def __init__(
        self,
        path: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """Locks files beside `path`, never `path` itself: closing one would drop SQLite's locks on it."""
        self._turn = beside(path, "-writer-lock")
        self._queue = beside(path, "-writer-queue")
        self._monotonic = monotonic
        self._wait = wait
        self._threads = _ThreadQueue()

    @contextmanager
    def acquired(self, timeout: float) -> Iterator[None]:
        """Wait for the turn and have it until the block ends.

        Raises:
            TimeoutError: it did not come within `timeout` seconds.
            OSError: the files beside the database cannot be made.
        """
        end = self._monotonic() + timeout
        if not self._threads.enter(timeout):
            raise TimeoutError
        try:
            with self._among_processes(end):
                yield
        finally:
            self._threads.leave()

    def forget_parent(self) -> None:
        """In a forked child: its parent's threads, and what they wait for, are not here."""
        self._threads = _ThreadQueue()

    @contextmanager
    def _among_processes(self, end: float) -> Iterator[None]:
        """Only the first in the queue tries for the turn, so nobody who comes later gets it earlier."""
        turn = _open(self._turn)
        try:
            queue = _open(self._queue)
            try:
                self._try(queue, min(end, self._monotonic() + _PATIENCE_SECONDS))
                if not self._try(turn, end):
                    raise TimeoutError
            finally:
                _close(queue)
            yield
        finally:
            _close(turn)

    def _try(self, descriptor: int, end: float) -> bool:
        while not try_flock(descriptor):
            if self._monotonic() >= end:
                return False
            self._wait(_POLL_SECONDS)
        return True


class _ThreadQueue:
    """A lock that is handed to whoever waits longest; Python's own goes to whoever happens to run."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._busy = False
        self._waiting: deque[threading.Lock] = deque()

    def enter(self, timeout: float) -> bool:
        with self._mutex:
            if not self._busy:
                self._busy = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=timeout):
            return True
        with self._mutex:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True  # it was handed over in the last moment

    def leave(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._busy = False


def _open(path: Path) -> int:
    # For reading: a lock needs no more, and a file that lost its write permission can still be locked.
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _held.add(descriptor)
    return descriptor


def _close(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough where a child has a copy
    _held.discard(descriptor)
    os.close(descriptor)


def _close_in_child() -> None:
    # A lock ends when the last copy of its descriptor does: a child would keep it for its killed parent.
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_close_in_child)
