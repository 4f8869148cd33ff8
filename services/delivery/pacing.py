"""The calls of a claimed delivery: reserved in the vendor's quota, and sent at the time that was reserved.

A call is reserved ahead of its time. The commit and a new connection with its handshake take time in between,
so the first byte is held back until the reserved time: calls reach the vendor as far apart as reserved.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from services.constant_contact.errors import NoCallLeft
from services.constant_contact.quota import AHEAD_MS, FORSAKEN_MS, LONGEST_CALL_MS, CallQuota
from store.outbox.claimed import Claimed
from store.outbox.claims import LEASE_MS
from store.quota.ledger import QuotaLedger

# The part of the quota's margin that is left to the network; a call may be late by the rest of it.
NETWORK_MS = 40
ALWAYS_IN_TIME_MS = 40
# A TLS handshake or a short stall explains up to three late calls; after that the margin grows.
MAX_LATE_IN_A_ROW = 3
# How long a further call of a delivery waits for room in the quota.
PATIENCE_MS = 6_000
# For writing down what came of the last call.
_FINISH_MS = 1_000
# After the claim's own call. A call reserved then begins PATIENCE_MS later at most, and ends in the lease.
LATEST_RESERVATION_MS = LEASE_MS - LONGEST_CALL_MS - PATIENCE_MS - _FINISH_MS

# Set by `departing` around the first call of a delivery, called by `depart` in that call's connection.
_departure: ContextVar[Callable[[], None] | None] = ContextVar("departure", default=None)


class NotSent(Exception):
    """Nothing was sent: the process ends, or has slept for too long."""


@contextmanager
def departing(departure: Callable[[], None]) -> Iterator[None]:
    """Have `departure` called right before the first byte of the first call that this block makes.

    The HTTP session does not know which delivery it sends for, so this goes by a context variable: the
    connection calls `depart`, which calls `departure`.
    """
    token = _departure.set(departure)
    try:
        yield
    finally:
        _departure.reset(token)


def depart() -> None:
    """Wait for the reserved time. The connection calls it once it stands, before each call's first byte.

    What it raises must end the call with nothing sent.
    """
    departure = _departure.get()
    if departure is not None:
        _departure.set(None)
        departure()


class Calls:
    """Called before each call of one delivery. The claim has reserved the first."""

    def __init__(
        self, claimed: Claimed, quota: CallQuota, stop: threading.Event, clock: Callable[[], int]
    ) -> None:
        """Wait for no further call once `stop` is set. `clock` tells epoch milliseconds."""
        self._claimed = claimed
        self._quota = quota
        self._stop = stop
        self._clock = clock
        self._first = True

    def __call__(self) -> None:
        """Reserve a call.

        Raises:
            NoCallLeft: the quota has none in time, or the lease would end during the call.
            ConnectionUnusable: there is no access token.
        """
        if self._first:
            self._first = False
            return
        if self._clock() - self._claimed.starts_at > LATEST_RESERVATION_MS:
            # What was looked up and created so far is kept, so the next attempt gets further.
            raise NoCallLeft
        self._quota.reserve(own_probe=self._claimed.probe, patience_ms=PATIENCE_MS, stop=self._stop)


class Pacing:
    """Holds each delivery's first call back until its reserved time; for a late one another is reserved."""

    def __init__(self, *, quota: CallQuota, ledger: QuotaLedger, clock: Callable[[], int]) -> None:
        """`clock` tells epoch milliseconds."""
        self._quota = quota
        self._ledger = ledger
        self._clock = clock

    def calls(self, claimed: Claimed, stop: threading.Event) -> Calls:
        """Return what reserves the calls of a claimed delivery; once `stop` is set, none is waited for."""
        return Calls(claimed, self._quota, stop, self._clock)

    def wait_for(self, claimed: Claimed, stop: threading.Event) -> None:
        """Return at the moment at which the claimed delivery's first call may be sent.

        Raises:
            NotSent: it shall not be sent at all.
            ConstantContactError: it was late, and the quota has no other call left for it now.
        """
        starts_at, late_in_a_row = claimed.starts_at, 0
        # No longer than a call can be reserved ahead: the clock may have been set back.
        stop.wait(min(max(starts_at - self._clock(), 0), AHEAD_MS) / 1000)
        while True:
            now = self._clock()
            if stop.is_set() or now - claimed.starts_at > FORSAKEN_MS:
                raise NotSent
            if not self._quota.spoilt(starts_at, now) and self._in_time(now - starts_at, now):
                return
            late_in_a_row += 1
            if late_in_a_row > MAX_LATE_IN_A_ROW:
                # A disk on which every commit takes that long would make each call late: the margin grows
                # until it covers them.
                self._ledger.throttled(now, reason="This machine is slow; calls go out with wider gaps.")
            starts_at = self._quota.reserve(own_probe=claimed.probe, patience_ms=PATIENCE_MS, stop=stop)

    def _in_time(self, late: int, now: int) -> bool:
        if late <= ALWAYS_IN_TIME_MS:
            return True
        return late <= self._ledger.read().margin_at(now) - NETWORK_MS
