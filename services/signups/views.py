"""How a sign-up is shown: to whoever holds its id, without personal data, and to admins."""

from __future__ import annotations

from dataclasses import dataclass

from services.delivery.kinds.sign_up.confirmed_opt_in import PENDING
from services.delivery.kinds.sign_up.returning import ASKED
from store.signups.accept import RecentSignup, SignupStatus

STATUS = {
    "ready": "queued",
    "sending": "queued",
    "merged": "subscribed",
    "delivered": "subscribed",
    "parked": "parked",
    "dropped": "dropped",
}


def status_of(state: str, action: str | None) -> str:
    """A delivery's state in the words of the API.

    Somebody who had left is not subscribed before they answer the vendor's question whether to come back, nor
    is a new contact of an account that confirms sign-ups, where that is known.
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


@dataclass(frozen=True)
class RecentView:
    """A sign-up as the dashboard lists it; times are in epoch ms.

    `vendor_said` is the vendor's own sentence behind the last error. Holders of an API key do not see
    it: it is a text that we did not write.
    """

    id: str
    received_at: int
    email: str
    first_name: str | None
    last_name: str | None
    list_ids: tuple[str, ...]
    source: str | None
    asked_by: str
    status: str
    action: str | None
    attempts: int
    last_error: str | None
    next_attempt_at: int | None
    vendor_said: str | None = None


def signup_view(row: SignupStatus) -> SignupView:
    """Where the stored sign-up stands."""
    return SignupView(
        id=row.id,
        status=status_of(row.state, row.action),
        attempts=row.attempts,
        last_error=row.last_error,
        next_attempt_at=row.due_at if row.state in {"ready", "sending"} else None,
        contact_id=row.contact_id,
    )


def waiting_view(signup_id: str, status: str) -> SignupView:
    """Where a sign-up stands that has no delivery yet: spooled ("queued"), or kept apart ("suspected")."""
    return SignupView(signup_id, status, 0, None, None, None)


def recent_view(row: RecentSignup) -> RecentView:
    """A line of the dashboard."""
    return RecentView(
        id=row.id,
        received_at=row.received_at,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        list_ids=row.list_ids,
        source=row.source,
        asked_by=row.asked_by,
        status=status_of(row.state, row.action),
        action=row.action,
        attempts=row.attempts,
        last_error=row.last_error,
        vendor_said=row.vendor_said,
        next_attempt_at=row.due_at if row.state in {"ready", "sending"} else None,
    )
