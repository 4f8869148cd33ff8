"""Wait a moment for the delivery of one sign-up, when that can be worth it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from services.connection.status import ConnectionStatus
from services.delivery.kinds.sign_up.confirmed_opt_in import PENDING
from services.signups.views import status_of
from store.errors import StoreError
from store.outbox.deliveries import Deliveries
from store.quota.ledger import QuotaLedger
from store.signups.accept import Signups, SignupStatus

POLL_SECONDS = 0.03
# With more sign-ups than this ahead, four calls a second bring the verdict too late.
LONGEST_QUEUE = 4
# In a burst the next sign-up would ask the store three times for the same "no".
NO_HOLDS_MS = 200
# What strangers are told of every sign-up, see `services.intake`.
RECEIVED = "received"


@dataclass(frozen=True)
class SignupResult:
    """The sign-up is on disk; `status` is "subscribed" once Constant Contact confirmed it, else "queued".

    "pending_confirmation" is a contact that was created and has to confirm by e-mail, where that is known.

    To who has no API key it is "received" in any case.
    """

    id: str
    status: str
    action: str | None = None
    contact_id: str | None = None


class SignupResults:
    """Watches the store; whichever process delivers, the verdict is seen."""

    def __init__(
        self,
        *,
        signups: Signups,
        deliveries: Deliveries,
        budget: QuotaLedger,
        connection: ConnectionStatus,
        wait_seconds: float,
        waiters: int,
        clock: Callable[[], int],
    ) -> None:
        """At most `waiters` requests wait at once, each at most `wait_seconds`; `clock` tells epoch ms."""
        self._signups = signups
        self._deliveries = deliveries
        self._budget = budget
        self._connection = connection
        self._wait_seconds = wait_seconds
        self._waiting = threading.BoundedSemaphore(waiters)
        self._clock = clock
        self._no_until = 0

    def reached(self, signup_id: str) -> SignupResult:
        """The verdict on a stored sign-up as it stands, "queued" as long as there is none."""
        row = self._signups.find(signup_id)
        return (row and _verdict(row)) or SignupResult(id=signup_id, status="queued")

    def wait_for(self, signup_id: str, *, at_most: float | None = None) -> SignupResult:
        """The verdict on a stored sign-up, "queued" when there is none in time.

        `at_most` (seconds) shortens the wait.
        """
        seconds = self._wait_seconds if at_most is None else min(at_most, self._wait_seconds)
        queued = SignupResult(id=signup_id, status="queued")
        if seconds <= 0 or not self._waiting.acquire(blocking=False):
            return queued
        try:
            return self._watch(signup_id, seconds) or queued
        except StoreError:
            # It was stored; that the verdict cannot be read changes nothing about that.
            return queued
        finally:
            self._waiting.release()

    def _watch(self, signup_id: str, seconds: float) -> SignupResult | None:
        now = self._clock()
        # Not longer than it can hold: this host's clock may have been set back.
        if 0 < self._no_until - now <= NO_HOLDS_MS:
            return None
        if not self._in_time():
            self._no_until = now + NO_HOLDS_MS
            return None
        end = now + int(seconds * 1000)
        rest = threading.Event()
        while self._clock() < end:
            row = self._signups.find(signup_id)
            if row is None or row.last_error is not None:
                return None
            if verdict := _verdict(row):
                return verdict
            if not self._connection.ready():
                # The token has just run out: the delivery may wait seconds for a new one.
                return None
            rest.wait(POLL_SECONDS)
        return None

    def _in_time(self) -> bool:
        paused_until = self._budget.read().paused_until
        return (
            (paused_until is None or paused_until <= self._clock())
            and self._connection.ready()
            and self._deliveries.pending_up_to(LONGEST_QUEUE + 1) <= LONGEST_QUEUE
        )


def _verdict(row: SignupStatus) -> SignupResult | None:
    if row.state not in {"delivered", "merged"}:
        return None
    action = "created" if row.action == PENDING else row.action
    return SignupResult(row.id, status_of(row.state, row.action), action=action, contact_id=row.contact_id)
