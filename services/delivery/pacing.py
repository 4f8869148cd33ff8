"""The moment at which a booked call leaves: its connection stands, and its first byte goes out.

A call is booked ahead. What takes time, the commit, a new connection with its handshake, lies between the
booking and the departure; so the calls reach the vendor as far apart as they were booked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from services.constant_contact.quota import AHEAD_MS, FORSAKEN_MS, CallQuota
from services.delivery.calls import PATIENCE_MS, Calls
from store.outbox.claimed import Claimed
from store.quota.ledger import QuotaLedger

# What the margin leaves to the network: a call may depart later than it was booked by the rest of it.
ON_THE_WAY_MS = 40
LATEST_DEPARTURE_MS = 40
# A connection that had to be opened, a machine that was busy for a moment: no reason to slow down.
PASSING = 3

_departure: ContextVar[Callable[[], None] | None] = ContextVar("departure", default=None)


class NotSent(Exception):
    """Nothing has left: the process ends, or has slept for too long."""


@contextmanager
def departing(departure: Callable[[], None]) -> Iterator[None]:
    """The first call made in this block calls `departure` right before its first byte."""
    token = _departure.set(departure)
    try:
        yield
    finally:
        _departure.reset(token)


def depart() -> None:
    """For the connection: called when it stands, before the first byte of each call. May take some time.

    What it raises must end the call with nothing sent.
    """
    departure = _departure.get()
    if departure is not None:
        _departure.set(None)
        departure()


class Pacing:
    """Holds each call back until the moment it was booked for; one that is late is booked anew."""

    def __init__(self, *, permits: CallQuota, quota: QuotaLedger, clock: Callable[[], int]) -> None:
        """`clock` tells epoch milliseconds."""
        self._permits = permits
        self._quota = quota
        self._clock = clock

    def calls(self, claimed: Claimed, stop: threading.Event) -> Calls:
        """Return what reserves the calls of a claimed delivery; once `stop` is set, none is waited for."""
        return Calls(claimed, self._permits, stop, self._clock)

    def wait_for(self, claimed: Claimed, stop: threading.Event) -> None:
        """Return at the moment at which the claimed delivery's call may leave.

        Raises:
            NotSent: it shall not leave at all.
            ConstantContactError: it was late, and the quota has no other call left for it now.
        """
        starts_at, late_in_a_row = claimed.starts_at, 0
        # At most so long: the clock may have been set back.
        stop.wait(min(max(starts_at - self._clock(), 0), AHEAD_MS) / 1000)
        while True:
            now = self._clock()
            if stop.is_set() or now - claimed.starts_at > FORSAKEN_MS:
                raise NotSent
            if not self._permits.spoilt(starts_at, now) and self._in_time(now - starts_at, now):
                return
            late_in_a_row += 1
            if late_in_a_row > PASSING:
                # A disk on which every commit takes that long would make each call late: the margin grows
                # until it covers them.
                self._quota.throttled(now, reason="This machine is slow; calls go out with wider gaps.")
            starts_at = self._permits.reserve(own_probe=claimed.probe, patience_ms=PATIENCE_MS, stop=stop)

    def _in_time(self, late: int, now: int) -> bool:
        if late <= LATEST_DEPARTURE_MS:
            return True
        return late <= self._quota.read().margin_at(now) - ON_THE_WAY_MS
