"""A lock between processes on one machine that the kernel drops with its holder."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.005


@contextmanager
def flocked(lock: Path, *, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Iterator[bool]:
    """Hold the lock file, which is never deleted; False when it was not free within `seconds`.

    Each caller has a descriptor of its own, so the threads of one process exclude each other too.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _acquired(descriptor, monotonic() + seconds, monotonic)
    finally:
        os.close(descriptor)


def _acquired(descriptor: int, end: float, monotonic: Callable[[], float]) -> bool:
    rest = threading.Event()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= end:
                return False
            rest.wait(_POLL_SECONDS)
        else:
            return True
