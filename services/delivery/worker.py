"""Repeat the delivery attempt: for ever in a thread or worker, or for a while from a command or a request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from services.constant_contact.quota import LONGEST_CALL_MS
from services.delivery.attempt import DeliveryAttempt, Outcome, Step
from services.delivery.sender_pool import SenderPool
from store.errors import StoreError

log = structlog.get_logger(__name__)

LONGEST_IDLE_SECONDS = 30.0
# Sign-ups that another process accepts wake nobody here. While there is something to do they are looked for
# each second; afterwards a database that sleeps when nobody asks is left asleep most of the time.
BUSY_IDLE_SECONDS = 1.0
BUSY_FOR_SECONDS = 60.0
AFTER_FAULT_SECONDS = 2.0
LISTS_EVERY_SECONDS = 30.0
CALL_DEADLINE_SECONDS = LONGEST_CALL_MS / 1000
SHORTEST_REST_SECONDS = 0.005


@dataclass(frozen=True)
class DrainReport:
    """How many sign-ups a drain delivered, postponed and parked, and how many still wait."""

    delivered: int
    postponed: int
    parked: int
    pending: int


class Delivery:
    """The loop around the attempt. `wake` may be called from any thread."""

    def __init__(
        self,
        *,
        attempt: DeliveryAttempt,
        keep_fresh: Callable[[], object],
        monotonic: Callable[[], float] = time.monotonic,
        after_fault_seconds: float = AFTER_FAULT_SECONDS,
    ) -> None:
        """Start nothing.

        Args:
            attempt: what is repeated.
            keep_fresh: fetches one of the account's lists, custom fields and tags anew if it is old; at rest.
            monotonic: seconds that only grow.
            after_fault_seconds: how long the loop rests after a fault of our own, or of the database.
        """
        self._attempt = attempt
        self._keep_fresh = keep_fresh
        self._monotonic = monotonic
        self._after_fault_seconds = after_fault_seconds
        self._awaiting: set[threading.Event] = set()
        self._ticked_at: float | None = None
        self._lists_at = 0.0

    def wake(self) -> None:
        """Something is due: look now instead of at the end of the current pause."""
        for woken in tuple(self._awaiting):
            woken.set()

    def silent_seconds(self) -> float | None:
        """How long ago the loop last went round, None before its first time."""
        return None if self._ticked_at is None else self._monotonic() - self._ticked_at

    def run(self, stop: threading.Event, *, longest_idle_seconds: float = LONGEST_IDLE_SECONDS) -> None:
        """Deliver until `stop` is set and `wake` called, and finish the calls in flight, for at most 15 s."""
        dispatcher = SenderPool(self._attempt, stop)
        busy_until = self._monotonic() + BUSY_FOR_SECONDS
        with self._woken_by(dispatcher.woken):
            while True:
                self._ticked_at = self._monotonic()
                # Cleared before looking: a wake, or a stop, that comes while we look is then not lost.
                dispatcher.woken.clear()
                if stop.is_set():
                    break
                pause = self._turn(dispatcher, stop)
                if pause > 0:
                    longest = BUSY_IDLE_SECONDS if self._monotonic() < busy_until else longest_idle_seconds
                    if not dispatcher.woken.wait(min(pause, longest)):
                        continue
                busy_until = self._monotonic() + BUSY_FOR_SECONDS
        dispatcher.finish(CALL_DEADLINE_SECONDS)

    def drain(self, seconds: float) -> DrainReport:
        """Deliver what is due for at most `seconds`, waiting out short gaps of the quota."""
        stop = threading.Event()
        dispatcher = SenderPool(self._attempt, stop)
        end = self._attempt.clock() + int(seconds * 1000)
        with self._woken_by(dispatcher.woken):
            # After a fault of our own, calls would be made of which nobody takes note.
            while (now := self._attempt.clock()) < end and not dispatcher.faulty.is_set():
                dispatcher.woken.clear()
                # Asked before the look: a call that ends after it may have made something due.
                alone = not dispatcher.in_flight
                step = dispatcher.turn()
                if step is None:
                    continue
                if alone and (step.until is None or step.until >= end):
                    break
                until = end if step.until is None else min(step.until, end)
                dispatcher.woken.wait(max(until - now, 1) / 1000)
        dispatcher.finish(CALL_DEADLINE_SECONDS)
        return DrainReport(
            delivered=dispatcher.outcomes[Outcome.DELIVERED],
            postponed=dispatcher.outcomes[Outcome.POSTPONED],
            parked=dispatcher.outcomes[Outcome.PARKED],
            pending=self._attempt.deliveries.backlog().pending,
        )

    @contextmanager
    def _woken_by(self, woken: threading.Event) -> Iterator[None]:
        self._awaiting.add(woken)
        try:
            yield
        finally:
            self._awaiting.discard(woken)

    def _turn(self, dispatcher: SenderPool, stop: threading.Event) -> float:
        """One claim; returns the seconds to rest. This is the outer edge: it outlives every fault."""
        try:
            step = dispatcher.turn()
            if not dispatcher.faulty.is_set():
                return 0 if step is None else self._rest(step)
            dispatcher.faulty.clear()
        except StoreError as error:
            log.warning("delivery_waits_for_store", error=type(error).__name__, detail=str(error))
        except Exception:  # a fault that nobody foresaw must not end the delivery of all sign-ups
            log.exception("delivery_fault")
        # Nobody wakes from this: each call that ends would, and the next one would meet the same fault.
        stop.wait(self._after_fault_seconds)
        return 0

    def _rest(self, step: Step) -> float:
        now = self._monotonic()
        if now >= self._lists_at:
            self._lists_at = now + LISTS_EVERY_SECONDS
            self._keep_fresh()
        pause = LONGEST_IDLE_SECONDS
        if step.until is not None:
            pause = max((step.until - self._attempt.clock()) / 1000, SHORTEST_REST_SECONDS)
        return min(pause, self._attempt.opt_outs.fill())
