"""How busy each form is, as far as this process sees: what makes its proof of work dearer.

In memory and by process: a visitor's request writes nothing for it, and a process that was just started asks
for the ordinary price.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

MINUTE_MS = 60_000


class FormLoad:
    """Counts posts and challenges by form; the minute before counts less and less while this one goes on."""

    def __init__(self, *, clock: Callable[[], int]) -> None:
        """`clock` tells epoch ms."""
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._now: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def note(self, slug: str) -> None:
        """One more for an existing form; others would fill the memory."""
        with self._lock:
            self._turn()
            self._now[slug] = self._now.get(slug, 0) + 1

    def per_minute(self, slug: str) -> float:
        """About how many in the last minute."""
        with self._lock:
            left = 1 - self._turn() / MINUTE_MS
            return self._now.get(slug, 0) + self._before.get(slug, 0) * left

    def _turn(self) -> int:
        """Milliseconds of the minute that has begun."""
        minute, gone = divmod(self._clock(), MINUTE_MS)
        if minute != self._minute:
            self._before = self._now if minute == self._minute + 1 else {}
            self._now, self._minute = {}, minute
        return gone
