"""Reserve calls in the vendor's quota, which all processes share; a claim reserves a delivery's first."""

import threading
import time
from collections.abc import Callable

from services.constant_contact.clock_leaps import ClockLeaps
from services.constant_contact.errors import NoCallLeft
from store.quota.ledger import QuotaLedger
from store.quota.state import Wait

# How long before its start a call may be reserved, so that the time which a commit takes is not lost.
AHEAD_MS = 250
# The deadline of one call to the API, answer included.
LONGEST_CALL_MS = 15_000
LONGEST_WAIT_MS = 1_500
# A call this late after its reserved time is not made: a process that was frozen may have lost its lease.
FORSAKEN_MS = 15_000


def _always() -> None:
    """Do nothing: there is a token."""


class CallQuota:
    """Reserves calls to the vendor, and waits for their time."""

    def __init__(
        self,
        ledger: QuotaLedger,
        *,
        clock: Callable[[], int],
        authorize: Callable[[], None] = _always,
        new_event: Callable[[], threading.Event] = threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` tells epoch milliseconds; waiting is done on the events of `new_event`.

        `monotonic` tells seconds that only grow, which shows that the clock was set forward.
        `authorize` sees to a valid access token first, or raises ConnectionUnusable: a reserved call must not
        wait for one, since it would reach the vendor in a second that others have reserved.
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
        """Reserve one call, wait for its time, and return when that is (epoch ms).

        Args:
            urgent: it is made during a pause too, which it may end, and with a token of its own.
            own_probe: it belongs to the delivery that is the half-open probe, for which all other calls wait.
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
            reserved = self._ledger.reserve(now, own_probe=own_probe, ahead_ms=AHEAD_MS)
            if not isinstance(reserved, Wait):
                self._new_event().wait(min(reserved - now, AHEAD_MS) / 1000)
                if not self.spoilt(reserved, self._clock()):
                    return reserved
                continue
            until = reserved.until or end
            if until > end or waiting.is_set():
                if urgent:
                    return now
                raise NoCallLeft
            waiting.wait(max(until - now, 1) / 1000)
