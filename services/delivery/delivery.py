"""Drive the courier: for ever in a thread or worker, or for a while from a command or a request."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.delivery.courier import Courier, Outcome
from services.lists import ListDirectory
from store import Deliveries, StoreError

log = structlog.get_logger(__name__)

LONGEST_IDLE_SECONDS = 30.0
AFTER_FAULT_SECONDS = 2.0


@dataclass(frozen=True)
class DrainReport:
    """What a drain did, and how many sign-ups still wait."""

    delivered: int
    postponed: int
    parked: int
    pending: int


class Delivery:
    """The loop around the courier. `wake` may be called from any thread."""

    def __init__(
        self, *, courier: Courier, deliveries: Deliveries, lists: ListDirectory, clock: Callable[[], int]
    ) -> None:
        """`clock` tells epoch milliseconds."""
        self._courier = courier
        self._deliveries = deliveries
        self._lists = lists
        self._clock = clock
        self._woken = threading.Event()

    def wake(self) -> None:
        """Something is due: look now instead of at the end of the current pause."""
        self._woken.set()

    def run(self, stop: threading.Event, *, longest_idle_seconds: float = LONGEST_IDLE_SECONDS) -> None:
        """Deliver until `stop` is set and `wake` called; a call in flight is finished first.

        Sign-ups that another process accepts wake nobody here: they are found after `longest_idle_seconds`.
        """
        while not stop.is_set():
            # Cleared before looking: a wake that comes while we look is then not lost.
            self._woken.clear()
            pause = min(self._turn(), longest_idle_seconds)
            if pause > 0:
                self._woken.wait(pause)

    def drain(self, seconds: float) -> DrainReport:
        """Deliver what is due for at most `seconds`, waiting out short gaps of the budget."""
        end = self._clock() + int(seconds * 1000)
        counts: Counter[Outcome] = Counter()
        while (now := self._clock()) < end:
            step = self._courier.step()
            counts[step.outcome] += 1
            if step.outcome is not Outcome.IDLE:
                continue
            if step.until is None or step.until >= end or not self._deliveries.pending_up_to(1):
                break
            threading.Event().wait(max(step.until - now, 1) / 1000)
        return DrainReport(
            delivered=counts[Outcome.DELIVERED],
            postponed=counts[Outcome.POSTPONED],
            parked=counts[Outcome.PARKED],
            pending=self._deliveries.backlog().pending,
        )

    def _turn(self) -> float:
        """One step; returns the seconds to rest. This is the outer edge: it outlives every fault."""
        try:
            step = self._courier.step()
            if step.outcome is not Outcome.IDLE:
                return 0
            self._lists.keep_fresh()
            if step.until is None:
                return LONGEST_IDLE_SECONDS
            return max((step.until - self._clock()) / 1000, 0.001)
        except StoreError as error:
            log.warning("delivery_waits_for_store", error=type(error).__name__)
        except Exception:  # a fault that nobody foresaw must not end the delivery of all sign-ups
            log.exception("delivery_fault")
        return AFTER_FAULT_SECONDS
