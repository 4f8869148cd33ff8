"""How a sign-up is shown to whoever holds its id: without personal data."""

from dataclasses import dataclass

from services.delivery.kinds.sign_up.confirmed_opt_in import PENDING
from services.delivery.kinds.sign_up.returning import ASKED
from store.signups.accept import SignupStatus

STATUS = {
    "ready": "queued",
    "sending": "queued",
    "merged": "subscribed",
    "delivered": "subscribed",
    "parked": "parked",
    "dropped": "dropped",
}


def status_of(state: str, action: str | None) -> str:
    """Return a delivery's state in the words of the API.

    Who had left is not subscribed before saying yes to the vendor's question whether to come back, nor is a
    new contact of an account that is known to confirm sign-ups.
    """
    return action if action in {ASKED, PENDING} else STATUS[state]


@dataclass(frozen=True)
class SignupView:
    """Where a sign-up stands, without personal data; `next_attempt_at` is in epoch ms."""

    id: str
    status: str
    attempts: int
    last_error: str | None
    next_attempt_at: int | None
    contact_id: str | None


def signup_view(row: SignupStatus) -> SignupView:
    """Return where a stored sign-up stands."""
    return SignupView(
        id=row.id,
        status=status_of(row.state, row.action),
        attempts=row.attempts,
        last_error=row.last_error,
        next_attempt_at=row.due_at if row.state in {"ready", "sending"} else None,
        contact_id=row.contact_id,
    )


def waiting_view(signup_id: str, status: str) -> SignupView:
    """Return where a sign-up stands that has no delivery yet: spooled ("queued"), or "suspected"."""
    return SignupView(signup_id, status, 0, None, None, None)
