"""The result of a sign-up: waiting a moment for its delivery, when it may come in time."""

import threading
from dataclasses import InitVar, dataclass, field

from services.connection.status import ConnectionStatus
from services.delivery.kinds.sign_up.confirmed_opt_in import PENDING
from services.signups.views import status_of
from store.engine.clock import Clock
from store.errors import StoreError
from store.outbox.deliveries import Deliveries
from store.quota.ledger import QuotaLedger
from store.signups.accept import Signups, SignupStatus

POLL_SECONDS = 0.03
# With more deliveries than this ahead, four calls a second bring the result too late.
LONGEST_QUEUE = 4
# How long a "not in time" is kept, or in a burst every sign-up would repeat the same three reads.
NO_HOLDS_MS = 200
# The status that strangers are told of every sign-up, see `Intake.accept`.
RECEIVED = "received"


@dataclass(frozen=True)
class SignupResult:
    """The sign-up is on disk; `status` is "subscribed" once Constant Contact confirmed it, else "queued".

    "pending_confirmation" is a contact that was created and has to confirm by e-mail, where that is known.
    A sender without an API key is told "received" in any case.
    """

    id: str
    status: str
    action: str | None = None
    contact_id: str | None = None


@dataclass(kw_only=True)
class SignupResults:
    """Watches the store for the result, whichever process delivers.

    At most `waiters` requests wait at once, each at most `wait_seconds`.
    """

    signups: Signups
    deliveries: Deliveries
    quota: QuotaLedger
    connection: ConnectionStatus
    wait_seconds: float
    waiters: InitVar[int]
    clock: Clock
    _no_until: int = field(default=0, init=False)

    def __post_init__(self, waiters: int) -> None:
        self._waiting = threading.BoundedSemaphore(waiters)

    def reached(self, signup_id: str) -> SignupResult:
        """Return the result of a stored sign-up, "queued" as long as it is not delivered."""
        row = self.signups.find(signup_id)
        return (row and _result(row)) or SignupResult(id=signup_id, status="queued")

    def wait_for(self, signup_id: str, *, at_most: float | None = None) -> SignupResult:
        """Wait for the result of a stored sign-up, "queued" when there is none in time.

        `at_most` (seconds) shortens the wait.
        """
        seconds = self.wait_seconds if at_most is None else min(at_most, self.wait_seconds)
        queued = SignupResult(id=signup_id, status="queued")
        if seconds <= 0 or not self._waiting.acquire(blocking=False):
            return queued
        try:
            return self._watch(signup_id, seconds) or queued
        except StoreError:
            # The sign-up is stored, whether its result can be read or not.
            return queued
        finally:
            self._waiting.release()

    def _watch(self, signup_id: str, seconds: float) -> SignupResult | None:
        now = self.clock()
        # Compared on both sides: this host's clock may have been set back.
        if 0 < self._no_until - now <= NO_HOLDS_MS:
            return None
        if not self._in_time():
            self._no_until = now + NO_HOLDS_MS
            return None
        end = now + int(seconds * 1000)
        rest = threading.Event()
        while self.clock() < end:
            row = self.signups.find(signup_id)
            if row is None or row.last_error is not None:
                return None
            if result := _result(row):
                return result
            if not self.connection.ready():
                # The token has just run out: the delivery may wait seconds for a new one.
                return None
            rest.wait(POLL_SECONDS)
        return None

    def _in_time(self) -> bool:
        paused_until = self.quota.read().paused_until
        return (
            (paused_until is None or paused_until <= self.clock())
            and self.connection.ready()
            and self.deliveries.pending_up_to(LONGEST_QUEUE + 1) <= LONGEST_QUEUE
        )


def _result(row: SignupStatus) -> SignupResult | None:
    if row.state not in {"delivered", "merged"}:
        return None
    action = "created" if row.action == PENDING else row.action
    return SignupResult(row.id, status_of(row.state, row.action), action=action, contact_id=row.contact_id)
