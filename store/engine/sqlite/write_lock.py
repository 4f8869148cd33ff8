"""The write lock of a SQLite file, granted in order: first among a process's threads, then among processes.

SQLite's own waiting polls with growing pauses, so that the last writer often gets the lock again and others
wait for seconds. This lock only keeps the order; what keeps the data consistent is still the transaction.
"""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from store.engine.files import beside, try_flock

_POLL_SECONDS = 0.0003  # flock has no timeout, and a thread that waits in the kernel cannot be interrupted
_QUEUE_PATIENCE_SECONDS = 0.25  # a frozen process in the queue must not stop the others

_open_descriptors: set[int] = set()


class WriteLock:
    """One holder at a time on this machine; the kernel drops the locks of a process that is killed."""

    def __init__(
        self,
        path: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """Lock files beside `path`, never `path` itself: closing it would drop SQLite's locks on it."""
        self._lock_file = beside(path, "-writer-lock")
        self._queue_file = beside(path, "-writer-queue")
        self._monotonic = monotonic
        self._wait = wait
        self._threads = _ThreadQueue()

    @contextmanager
    def acquired(self, timeout: float) -> Iterator[None]:
        """Wait for the lock and hold it until the block ends.

        Raises:
            TimeoutError: the lock was not free within `timeout` seconds.
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
        """Begin a new queue in a forked child: the threads in the old one are the parent's."""
        self._threads = _ThreadQueue()

    @contextmanager
    def _among_processes(self, end: float) -> Iterator[None]:
        """Hold the lock file; only the holder of the queue file may try, which keeps the order."""
        lock = _open(self._lock_file)
        try:
            queue = _open(self._queue_file)
            try:
                self._try(queue, min(end, self._monotonic() + _QUEUE_PATIENCE_SECONDS))
                if not self._try(lock, end):
                    raise TimeoutError
            finally:
                _close(queue)
            yield
        finally:
            _close(lock)

    def _try(self, descriptor: int, end: float) -> bool:
        while not try_flock(descriptor):
            if self._monotonic() >= end:
                return False
            self._wait(_POLL_SECONDS)
        return True


class _ThreadQueue:
    """A lock that goes to the thread that has waited longest; Python's own goes to any that runs."""

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
        return True  # `leave` handed the lock over after the timeout and before the mutex was taken

    def leave(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._busy = False


def _open(path: Path) -> int:
    # Opened for reading: flock needs no more, and a file without write permission can still be locked.
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _open_descriptors.add(descriptor)
    return descriptor


def _close(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough where a child has a copy
    _open_descriptors.discard(descriptor)
    os.close(descriptor)


def _close_in_child() -> None:
    # flock ends with the last copy of its descriptor: a child would keep the lock of a parent that was
    # killed.
    while _open_descriptors:
        os.close(_open_descriptors.pop())


os.register_at_fork(after_in_child=_close_in_child)
