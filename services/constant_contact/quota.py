"""Permission for a call that is not a delivery's first, out of the one quota that all calls share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from services.constant_contact.clock_leaps import ClockLeaps
from services.constant_contact.errors import NoCallLeft
from store.quota.ledger import QuotaLedger
from store.quota.state import Wait

# Calls are booked so long before they start: the time that a commit takes is not lost, and whoever books at
# the last moment would find the place taken.
AHEAD_MS = 250
# The deadline of one call to the API, answer included.
LONGEST_CALL_MS = 15_000
LONGEST_WAIT_MS = 1_500
# From then on the lease may be over before the answer is there; a process that was frozen comes to this.
FORSAKEN_MS = 15_000


def _always() -> None:
    """There is a token."""


class CallQuota:
    """Books calls to the vendor, waiting out a gap of the current second."""

    def __init__(
        self,
        ledger: QuotaLedger,
        *,
        clock: Callable[[], int],
        authorize: Callable[[], None] = _always,
        new_event: Callable[[], threading.Event] = threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` tells epoch milliseconds; the events of `new_event` are waited on for it to go on.

        `monotonic` tells seconds that only grow, by which a clock that was set forward is noticed.
        `authorize` sees to a valid access token first, or raises ConnectionUnusable: a booked call must not
        wait for one, since it would reach the vendor in a second that others have booked.
        """
        self._ledger = ledger
        self._clock = clock
        self._authorize = authorize
        self._new_event = new_event
        leaps = ClockLeaps(ledger, monotonic=monotonic, reach=range(-FORSAKEN_MS, AHEAD_MS + 1))
        self.spoilt: Callable[[int, int], bool] = leaps.spoil

    def reserve(
        self,
        *,
        urgent: bool = False,
        own_probe: bool = False,
        patience_ms: int = LONGEST_WAIT_MS,
        stop: threading.Event | None = None,
    ) -> int:
        """Book one call and wait for its time; returns when that is (epoch ms).

        Args:
            urgent: it goes out during a pause too, which may be about what it is to mend, and with a token of
                its own.
            own_probe: it belongs to a delivery that is the probe, for which all other calls wait.
            patience_ms: how long to wait for the quota.
            stop: once set, no more waiting.

        Raises:
            NoCallLeft: the quota has none in that time, and it is not urgent.
            ConnectionUnusable: there is no token, and it is not urgent.
        """
        if not urgent:
            self._authorize()
        end = self._clock() + patience_ms
        waiting = stop or self._new_event()
        while True:
            now = self._clock()
            booked = self._ledger.reserve(now, own_probe=own_probe, ahead_ms=AHEAD_MS)
            if not isinstance(booked, Wait):
                self._new_event().wait(min(booked - now, AHEAD_MS) / 1000)
                if not self.spoilt(booked, self._clock()):
                    return booked
                continue
            until = booked.until or end
            if until > end or waiting.is_set():
                if urgent:
                    return now
                raise NoCallLeft
            waiting.wait(max(until - now, 1) / 1000)
