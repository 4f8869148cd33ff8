"""The calls of one claimed delivery, each reserved in the quota and begun within the delivery's lease."""

from __future__ import annotations

import threading
from collections.abc import Callable

from services.constant_contact.errors import NoCallLeft
from services.constant_contact.quota import LONGEST_CALL_MS, CallQuota
from store.outbox.claimed import Claimed
from store.outbox.claims import LEASE_MS

# How long a further call of a delivery waits for room in the quota.
PATIENCE_MS = 6_000
# For writing down what came of the last call.
_FINISH_MS = 1_000
# After the claim's own call. A call reserved then begins PATIENCE_MS later at most, and ends in the lease.
LATEST_RESERVATION_MS = LEASE_MS - LONGEST_CALL_MS - PATIENCE_MS - _FINISH_MS


class Calls:
    """Called before each call of one delivery. The claim reserved the first."""

    def __init__(
        self, claimed: Claimed, quota: CallQuota, stop: threading.Event, clock: Callable[[], int]
    ) -> None:
        """Once `stop` is set, no further call is waited for. `clock` tells epoch milliseconds."""
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
            # What was looked up and made so far is kept, so the next try gets further.
            raise NoCallLeft
        self._quota.reserve(own_probe=self._claimed.probe, patience_ms=PATIENCE_MS, stop=self._stop)
