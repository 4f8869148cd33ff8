"""Repeat the delivery attempt: until stopped in a thread, or for some seconds in a command or a request."""

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
# Sign-ups that another process accepts do not wake this one. While there is work they are looked for each
# second; afterwards seldom, so that a hosted database that suspends itself when idle may do so.
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
        """Look for due deliveries now instead of at the end of the current pause."""
        for woken in tuple(self._awaiting):
            woken.set()

    def silent_seconds(self) -> float | None:
        """Return for how long the loop has not gone round, None before its first time."""
        return None if self._ticked_at is None else self._monotonic() - self._ticked_at

    def run(self, stop: threading.Event, *, longest_idle_seconds: float = LONGEST_IDLE_SECONDS) -> None:
        """Deliver until `stop` is set and `wake` called; then wait for the calls in flight, at most 15 s."""
        pool = SenderPool(self._attempt, stop)
        busy_until = self._monotonic() + BUSY_FOR_SECONDS
        with self._woken_by(pool.woken):
            while True:
                self._ticked_at = self._monotonic()
                # Cleared before the claim, so that a wake or stop during the claim is not lost.
                pool.woken.clear()
                if stop.is_set():
                    break
                pause = self._turn(pool, stop)
                if pause > 0:
                    longest = BUSY_IDLE_SECONDS if self._monotonic() < busy_until else longest_idle_seconds
                    if not pool.woken.wait(min(pause, longest)):
                        continue
                busy_until = self._monotonic() + BUSY_FOR_SECONDS
        pool.finish(CALL_DEADLINE_SECONDS)

    def drain(self, seconds: float) -> DrainReport:
        """Deliver what is due for at most `seconds`, waiting out short gaps of the quota."""
        stop = threading.Event()
        pool = SenderPool(self._attempt, stop)
        end = self._attempt.clock() + int(seconds * 1000)
        with self._woken_by(pool.woken):
            # After a fault of our own, calls would be made whose outcome is not stored.
            while (now := self._attempt.clock()) < end and not pool.faulty.is_set():
                pool.woken.clear()
                # Read before the claim: a call that ends during it may have made something due.
                alone = not pool.in_flight
                step = pool.turn()
                if step is None:
                    continue
                if alone and (step.until is None or step.until >= end):
                    break
                until = end if step.until is None else min(step.until, end)
                pool.woken.wait(max(until - now, 1) / 1000)
        pool.finish(CALL_DEADLINE_SECONDS)
        return DrainReport(
            delivered=pool.outcomes[Outcome.DELIVERED],
            postponed=pool.outcomes[Outcome.POSTPONED],
            parked=pool.outcomes[Outcome.PARKED],
            pending=self._attempt.deliveries.backlog().pending,
        )

    @contextmanager
    def _woken_by(self, woken: threading.Event) -> Iterator[None]:
        self._awaiting.add(woken)
        try:
            yield
        finally:
            self._awaiting.discard(woken)

    def _turn(self, pool: SenderPool, stop: threading.Event) -> float:
        """Claim once and return the seconds to rest; no exception leaves this."""
        try:
            step = pool.turn()
            if not pool.faulty.is_set():
                return 0 if step is None else self._rest(step)
            pool.faulty.clear()
        except StoreError as error:
            log.warning("delivery_waits_for_store", error=type(error).__name__, detail=str(error))
        except Exception:  # an unforeseen fault must not end the delivery of all sign-ups
            log.exception("delivery_fault")
        # Not ended by `woken`: each call that ends sets it, and the next claim would fail at once.
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
