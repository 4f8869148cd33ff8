"""Notices that this host's clock was set forward, which makes the calls of the last second look long past."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from store.quota.ledger import QuotaLedger

log = structlog.get_logger(__name__)

# Clocks are adjusted slowly; what makes a leap was set.
LEAP_MS = 1_000


class ClockLeaps:
    """Compares the clock with one that nobody sets, at each call; every call of the process asks it."""

    def __init__(self, ledger: QuotaLedger, *, monotonic: Callable[[], float], reach: range) -> None:
        """`monotonic` tells seconds that only grow; `reach` is how far from now (ms) a booking may lie."""
        self._ledger = ledger
        self._monotonic = monotonic
        self._reach = reach
        self._looking = threading.Lock()
        self._looked: tuple[int, float] | None = None
        # Bookings for these epoch ms were made by a clock that had just been set forward.
        self._doubtful = range(0)

    def spoil(self, booked_at: int, now: int) -> bool:
        """Whether the call booked for `booked_at` must be booked anew, since four may have left just now.

        A leap that is noticed by this look closes the quota for a second from `now` (both epoch ms).
        """
        with self._looking:
            monotonic = self._monotonic()
            before, self._looked = self._looked, (now, monotonic)
            if before is not None and now - before[0] - (monotonic - before[1]) * 1000 > LEAP_MS:
                log.warning("clock_set_forward")
                self._ledger.clock_set_forward(now)
                self._doubtful = range(now + self._reach.start, now + self._reach.stop)
            return booked_at in self._doubtful
