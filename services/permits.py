"""Permission for a call that is not a delivery, out of the one budget that all calls share."""

from __future__ import annotations

import threading
from collections.abc import Callable

from services.constant_contact import NoCallLeft
from store import Budget

LONGEST_WAIT_MS = 1_500


class CallPermits:
    """Books calls to the vendor, waiting out a gap of the current second."""

    def __init__(self, budget: Budget, *, clock: Callable[[], int]) -> None:
        """`clock` tells epoch milliseconds."""
        self._budget = budget
        self._clock = clock

    def take(self, *, urgent: bool = False) -> None:
        """Book one call. An urgent one goes out during a pause too, which may be about what it is to mend.

        Raises:
            NoCallLeft: the budget has none within a second and a half, and it is not urgent.
        """
        end = self._clock() + LONGEST_WAIT_MS
        while (until := self._budget.book(now := self._clock())) is not None:
            if until > end:
                if urgent:
                    return
                raise NoCallLeft
            threading.Event().wait(max(until - now, 1) / 1000)
