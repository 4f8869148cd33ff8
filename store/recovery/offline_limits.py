"""How many sign-ups of one address and one network are believed while the store, which counts them, is away.

Counted in the memory of this process, by the minute, and so only roughly: each process counts for itself.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from store.signups.rate_limits import FLOOD, Limit

MINUTE_MS = 60_000
# Of addresses and networks that are remembered at once; whoever comes beyond them in a minute is suspected.
MOST_KEYS = 20_000
RULE = "store_away"


class OfflineRateLimits:
    """The limits by the minute, as in the store; hours and days are not counted."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """`clock` tells epoch ms."""
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
