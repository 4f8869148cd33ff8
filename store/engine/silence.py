"""A database server that has fallen silent: one use at a time finds out whether it answers again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from store.errors import StoreSilent

TRY_EVERY_SECONDS = 2.0
# Longer than a statement, a cancellation and a new connection may take together.
TRY_TAKES_SECONDS = 12.0


class Silence:
    """Without it every thread would wait out the same time-out, until none is left for anybody."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` tells seconds that only grow."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._since: float | None = None
        self._again_at = 0.0

    def forget_parent(self) -> None:
        """Leave behind a lock that a thread of the parent held at a fork."""
        self._lock = threading.Lock()

    def seconds(self) -> float | None:
        """For how long the server has been silent, None when it is not."""
        since = self._since
        return None if since is None else self._monotonic() - since

    def pass_or_raise(self) -> None:
        """Return if the database may be used. Raises StoreSilent while another use finds that out."""
        if self._since is None:
            return
        with self._lock:
            now, since = self._monotonic(), self._since
            if since is None:
                return
            if now < self._again_at:
                raise StoreSilent(f"the database has not answered for {now - since:.0f} s")
            self._again_at = now + TRY_TAKES_SECONDS

    def began(self) -> None:
        """A use has met it."""
        with self._lock:
            now = self._monotonic()
            self._since = now if self._since is None else self._since
            self._again_at = now + TRY_EVERY_SECONDS

    def tried(self) -> None:
        """A use came to another end, which tells nothing about the silence: the next one may try."""
        if self._since is not None:
            with self._lock:
                self._again_at = min(self._again_at, self._monotonic())

    def ended(self) -> None:
        """A use was answered."""
        if self._since is not None:
            with self._lock:
                self._since = None
