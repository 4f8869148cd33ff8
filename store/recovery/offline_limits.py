"""Rate limits for sign-ups while the database, which counts them otherwise, is away.

Counted in memory and by the minute only; each process counts for itself.
"""

import threading
from collections import Counter
from collections.abc import Sequence

from store.engine.clock import Clock
from store.signups.rate_limits import FLOOD, Limit

MINUTE_MS = 60_000
# So many addresses and networks are counted at once; further ones are suspected until the minute is over.
MOST_KEYS = 20_000
RULE = "store_away"


class OfflineRateLimits:
    """The limits by the minute, as the database has them; those by hour and day are not counted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._hits = Counter[str]()

    def count(self, limits: Sequence[Limit]) -> tuple[tuple[str, ...], int | None]:
        """Count a sign-up that comes in now.

        Returns:
            The rules of the limits that it is over; and, where it is one of a flood, in how many seconds its
            sender may try again.
        """
        now = self._clock()
        with self._lock:
            if now // MINUTE_MS != self._minute:
                self._minute, self._hits = now // MINUTE_MS, Counter()
            if any(limit.key not in self._hits for limit in limits) and len(self._hits) >= MOST_KEYS:
                return (RULE,), None
            self._hits.update(limit.key for limit in limits)
            hits = {limit.key: self._hits[limit.key] for limit in limits}
        over = [
            (limit.rule, hits[limit.key] > limit.minute * FLOOD)
            for limit in limits
            if limit.minute is not None and hits[limit.key] > limit.minute
        ]
        if any(far for _, far in over):
            return (), (MINUTE_MS - now % MINUTE_MS) // 1000 + 1
        return tuple(rule for rule, _ in over), None
