"""How busy each form is, as far as this process sees: a busy form asks for more proof of work.

Counted in memory, by process: no visitor's request writes for it, and a process that has just started asks
for the usual amount.
"""

import threading
from dataclasses import dataclass, field

from store.engine.clock import Clock

MINUTE_MS = 60_000


@dataclass
class FormLoad:
    """Counts posts and challenges by form; the last minute weighs less and less while this one goes on."""

    clock: Clock
    _minute: int = field(default=0, init=False)
    _now: dict[str, int] = field(default_factory=dict, init=False)
    _before: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def note(self, slug: str) -> None:
        """Count one more. Only for existing forms: made-up names would fill the memory."""
        with self._lock:
            self._turn()
            self._now[slug] = self._now.get(slug, 0) + 1

    def per_minute(self, slug: str) -> float:
        """Return about how many came in the last minute."""
        with self._lock:
            left = 1 - self._turn() / MINUTE_MS
            return self._now.get(slug, 0) + self._before.get(slug, 0) * left

    def _turn(self) -> int:
        """Begin a new minute if the last one is over; return how many milliseconds of it are gone."""
        minute, gone = divmod(self.clock(), MINUTE_MS)
        if minute != self._minute:
            self._before = self._now if minute == self._minute + 1 else {}
            self._now, self._minute = {}, minute
        return gone
