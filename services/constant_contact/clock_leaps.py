"""Notice that this host's clock was set forward, which makes the calls of the last second look old."""

import threading
from collections.abc import Callable

import structlog

from store.quota.ledger import QuotaLedger

log = structlog.get_logger(__name__)

# Time servers adjust a clock slowly; a larger difference means that it was set.
LEAP_MS = 1_000


class ClockLeaps:
    """Compares the clock with a monotonic one before each call of the process."""

    def __init__(self, ledger: QuotaLedger, *, monotonic: Callable[[], float], reach: range) -> None:
        """`monotonic` tells seconds; `reach` is how far (ms) from now a call may be reserved."""
        self._ledger = ledger
        self._monotonic = monotonic
        self._reach = reach
        self._looking = threading.Lock()
        self._looked: tuple[int, float] | None = None
        # Calls reserved for these epoch ms were reserved by a clock that had just been set forward.
        self._doubtful = range(0)

    def spoil(self, starts_at: int, now: int) -> bool:
        """Return whether the call reserved for `starts_at` must be reserved anew: four may just have left.

        Where the clock is found to be set forward, the quota is closed for a second from `now` (epoch ms).
        """
        with self._looking:
            monotonic = self._monotonic()
            before, self._looked = self._looked, (now, monotonic)
            if before is not None and now - before[0] - (monotonic - before[1]) * 1000 > LEAP_MS:
                log.warning("clock_set_forward")
                self._ledger.clock_set_forward(now)
                self._doubtful = range(now + self._reach.start, now + self._reach.stop)
            return starts_at in self._doubtful
