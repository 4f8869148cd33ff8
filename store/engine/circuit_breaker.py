"""A circuit breaker before a database server.

While the server is silent, one use at a time finds out whether it answers again, and the others fail at once.
"""

import threading
import time
from collections.abc import Callable

from store.errors import StoreSilent

TRY_EVERY_SECONDS = 2.0
# Longer than a statement, a cancellation and a new connection may take together.
TRY_TAKES_SECONDS = 12.0


class CircuitBreaker:
    """Open while the server is silent: else every thread would wait out the same time-out."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._open_since: float | None = None
        self._next_try_at = 0.0

    def forget_parent(self) -> None:
        """Replace the lock in a forked child: a thread of the parent may have held the old one."""
        self._lock = threading.Lock()

    def open_seconds(self) -> float | None:
        """Return for how long the server has been silent, None when it is not."""
        since = self._open_since
        return None if since is None else self._monotonic() - since

    def check(self) -> None:
        """Return if the database may be used; the caller then reports by one of the methods below.

        Raises:
            StoreSilent: the server is silent, and another use finds out whether it answers again.
        """
        if self._open_since is None:
            return
        with self._lock:
            now, since = self._monotonic(), self._open_since
            if since is None:
                return
            if now < self._next_try_at:
                raise StoreSilent(f"the database has not answered for {now - since:.0f} s")
            self._next_try_at = now + TRY_TAKES_SECONDS

    def not_answered(self) -> None:
        """Open: a use got no answer in time."""
        with self._lock:
            now = self._monotonic()
            self._open_since = now if self._open_since is None else self._open_since
            self._next_try_at = now + TRY_EVERY_SECONDS

    def undecided(self) -> None:
        """Let the next use try: this one ended in a way that says nothing about the server's silence."""
        if self._open_since is not None:
            with self._lock:
                self._next_try_at = min(self._next_try_at, self._monotonic())

    def answered(self) -> None:
        """Close: a use was answered."""
        if self._open_since is not None:
            with self._lock:
                self._open_since = None
