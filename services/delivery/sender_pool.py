"""Several calls in flight: one thread claims, and each claimed delivery is sent in its own thread."""

import threading
import time
from collections import Counter

import structlog

from services.delivery.attempt import DeliveryAttempt, Outcome, Step
from store.errors import StoreError
from store.outbox.claimed import Claimed

log = structlog.get_logger(__name__)

# Four calls a second at up to two seconds' latency. The claim sees to it that all are of different contacts.
SENDERS = 8
ALL_BUSY_SECONDS = 1.0


class SenderPool:
    """Hands claimed deliveries to at most `senders` threads; one thread, always the same, calls `turn`."""

    def __init__(self, attempt: DeliveryAttempt, stop: threading.Event, *, senders: int = SENDERS) -> None:
        """Once `stop` is set, only calls in flight are finished."""
        self._attempt = attempt
        self._stop = stop
        self._senders = senders
        self._free = threading.Semaphore(senders)
        self._lock = threading.Lock()
        self._in_flight = 0
        self.outcomes: Counter[Outcome] = Counter()
        # Set when a call ends, which may make another delivery due, and by `Delivery.wake`.
        self.woken = threading.Event()
        self.faulty = threading.Event()

    @property
    def in_flight(self) -> int:
        """Return how many deliveries are in flight, as the thread that calls `turn` sees it."""
        return self._in_flight

    def turn(self) -> Step | None:
        """Claim the next delivery and begin to send it; return None, or an idle step with when to ask again.

        Raises:
            StoreUnavailable: nothing could be claimed.
        """
        # A claim reserves a call, so a thread must be free to make it at once.
        if not self._free.acquire(timeout=ALL_BUSY_SECONDS):
            return None
        handed_over = False
        try:
            found = self._attempt.claim()
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
        """Wait until no call is in flight; return False when one still is after `seconds`."""
        end = time.monotonic() + seconds
        return all(self._free.acquire(timeout=max(0.0, end - time.monotonic())) for _ in range(self._senders))

    def _carry(self, claimed: Claimed) -> None:
        try:
            step = self._attempt.carry(claimed, self._stop)
            with self._lock:
                self.outcomes[step.outcome] += step.signups
        except StoreError as error:
            log.warning("delivery_waits_for_store", error=type(error).__name__)
            self.faulty.set()
        except Exception:  # an unforeseen fault must not end the delivery of all sign-ups
            log.exception("delivery_fault")
            self.faulty.set()
        finally:
            with self._lock:
                self._in_flight -= 1
            self._free.release()
            self.woken.set()
