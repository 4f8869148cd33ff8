"""Unsubscribe a contact at the vendor, because the person or the organisation asked for it.

The table of opt-outs has the contact from the request on, so no older sign-up is sent in between.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from services.delivery.kind import Collaborators, Sent
from services.delivery.pacing import Calls
from store.opt_outs import LEAVE
from store.outbox.claimed import Claimed
from store.signups.accept import NewSignup

UNSUBSCRIBED, LEFT_BEFORE, NO_CONTACT = "unsubscribed", "left_before", "no_contact"
WORDS = {
    UNSUBSCRIBED: "is unsubscribed",
    LEFT_BEFORE: "had left already",
    NO_CONTACT: "is no contact of the account, so nothing was to be done",
}


def payload(address: str, reason: str) -> dict[str, Any]:
    """Return the payload to store."""
    return {"email_address": address, "opt_out_reason": reason}


class Leave:
    """The kind `leave`. It merges with younger ones of the contact: leaving twice is leaving once."""

    name: ClassVar[str] = LEAVE
    delivered_event: ClassVar[str] = "leave_delivered"

    def __init__(self, collaborators: Collaborators) -> None:
        self._vendor = collaborators.vendor
        self._opt_outs = collaborators.opt_outs

    @staticmethod
    def describe(document: Mapping[str, Any]) -> str:
        """Return what it does, and the reason that was given."""
        reason = document.get("opt_out_reason")
        return f"unsubscribe: {reason}" if reason else "unsubscribe"

    @staticmethod
    def restore(_signup: NewSignup) -> None:
        """Return None: no sign-up asks for it."""

    def carries(self, claimed: Claimed) -> tuple[int, ...]:
        """Return all of them."""
        return tuple(other.delivery_id for other in claimed.younger)

    def send(self, claimed: Claimed, reserve: Calls) -> Sent:
        """Look the contact up by its address and, where it has not left, unsubscribe it."""
        carried = self.carries(claimed)
        reserve()
        existing = self._vendor.find_contact(claimed.payload["email_address"])
        if existing is None:
            return Sent(None, NO_CONTACT, carried)
        if existing.opted_out or existing.deleted:
            # A deleted contact is written to no more, and a PUT would restore it.
            return Sent(existing.contact_id, LEFT_BEFORE, carried)
        reserve()
        self._vendor.unsubscribe(existing, claimed.payload.get("opt_out_reason"))
        # A sign-up that was in flight meanwhile may have removed the contact from the table.
        self._opt_outs.left(claimed.contact_key)
        return Sent(existing.contact_id, UNSUBSCRIBED, carried)
