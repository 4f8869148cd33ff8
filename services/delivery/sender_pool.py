"""Several calls in flight: one thread claims, each claimed delivery is sent in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import Counter

import structlog

from services.delivery.attempt import DeliveryAttempt, Outcome, Step
from store.errors import StoreError
from store.outbox.claimed import Claimed

log = structlog.get_logger(__name__)

# Four calls a second at up to two seconds' latency; each of another contact, which the claim sees to.
SENDERS = 8
ALL_BUSY_SECONDS = 1.0


class SenderPool:
    """Hands claimed deliveries to at most `senders` threads; one thread, always the same, calls `turn`."""

    def __init__(self, courier: DeliveryAttempt, stop: threading.Event, *, senders: int = SENDERS) -> None:
        """Once `stop` is set, nothing that is not under way is sent any more."""
        self._courier = courier
        self._stop = stop
        self._senders = senders
        self._free = threading.Semaphore(senders)
        self._lock = threading.Lock()
        self._in_flight = 0
        self.outcomes: Counter[Outcome] = Counter()
        # Set when a call ends, which may make another delivery due, and by who wants to be seen to at once.
        self.woken = threading.Event()
        self.faulty = threading.Event()

    @property
    def in_flight(self) -> int:
        """How many deliveries are under way, as the thread that calls `turn` sees it."""
        return self._in_flight

    def turn(self) -> Step | None:
        """Claim the next delivery and begin to send it: None. Or else an idle step says when to ask again.

        Raises:
            StoreUnavailable: nothing could be claimed.
        """
        # A claim books its call, so there must be somebody to send it at once.
        if not self._free.acquire(timeout=ALL_BUSY_SECONDS):
            return None
        handed_over = False
        try:
            found = self._courier.claim()
            if isinstance(found, Step):
                return found
            call = threading.Thread(target=self._carry, args=(found,), name="delivery-call", daemon=True)
            call.start()
            handed_over = True
        finally:
            if not handed_over:
                self._free.release()
        with self._lock:
            self._in_flight += 1
        return None

    def finish(self, seconds: float) -> bool:
        """Wait until no call is in flight; False when one is after all that time."""
        end = time.monotonic() + seconds
        return all(self._free.acquire(timeout=max(0.0, end - time.monotonic())) for _ in range(self._senders))

    def _carry(self, claimed: Claimed) -> None:
        try:
            step = self._courier.carry(claimed, self._stop)
            with self._lock:
                self.outcomes[step.outcome] += step.signups
        except StoreError as error:
            log.warning("delivery_waits_for_store", error=type(error).__name__)
            self.faulty.set()
        except Exception:  # a fault that nobody foresaw must not end the delivery of all sign-ups
            log.exception("delivery_fault")
            self.faulty.set()
        finally:
            with self._lock:
                self._in_flight -= 1
            self._free.release()
            self.woken.set()
