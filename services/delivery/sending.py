"""The calls that carry one claimed delivery to the vendor: mostly one, each booked in the shared budget."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar

from services.constant_contact import (
    LONGEST_SIGN_UP_ADDRESS,
    Conflict,
    ConstantContact,
    ConstantContactError,
    Contact,
    Remedy,
    SignedUp,
)
from services.delivery.filling import filled
from services.delivery.merging import Merged, without_messages
from services.permits import CallPermits
from store import Claimed

# sign_up_form makes an unsubscribed contact explicit again and revives a deleted one, so a wish that was not
# carried out at once is held against what the person did since.
STALE_MS = 86_400_000
# Well within the lease: three calls of at most 15 s, and the waits between them.
PATIENCE_MS = 6_000


class LeftSince(ConstantContactError):
    """The person unsubscribed, or was deleted, after the sign-up; sending it would bring them back."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = (
        "The person left after this sign-up, which waited for more than a day, so it was not sent. "
        "They come back with a new sign-up of their own."
    )


class Sender:
    """Sends what a claim holds. The claim booked the first call; every further one takes a permit."""

    def __init__(self, *, vendor: ConstantContact, permits: CallPermits, clock: Callable[[], int]) -> None:
        """`clock` tells epoch milliseconds."""
        self._vendor = vendor
        self._permits = permits
        self._clock = clock

    def send(self, claimed: Claimed, merged: Merged, stop: threading.Event) -> SignedUp:
        """Make the contact what the merged sign-ups ask for; safe to repeat from the start at any point.

        Raises:
            ConstantContactError: a call failed, or `stop` was set before a further one.
        """
        held = None
        stale = self._clock() - merged.newest > STALE_MS
        if stale or merged.offered:
            held = self._vendor.find_contact(merged.body["email_address"])
            if stale and held is not None and held.left_after(merged.newest):
                raise LeftSince
            if stale and held is not None and held.left_messages_after(merged.newest):
                # That was left alone; the rest of the wish was not.
                merged = without_messages(merged)
            self._book_another(claimed, stop)
        if len(merged.body["email_address"]) <= LONGEST_SIGN_UP_ADDRESS:
            return self._vendor.sign_up(filled(merged.body, merged.offered, held))
        return self._send_long(claimed, merged, held, stop)

    def _send_long(
        self, claimed: Claimed, merged: Merged, held: Contact | None, stop: threading.Event
    ) -> SignedUp:
        if held is None:
            try:
                return self._vendor.create_contact(filled(merged.body, merged.offered, held))
            except Conflict:
                # The answer names the contact in its text only.
                self._book_another(claimed, stop)
                held = self._vendor.find_contact(merged.body["email_address"])
                if held is None:
                    raise
            self._book_another(claimed, stop)
        return self._vendor.update_contact(held, filled(merged.body, merged.offered, held))

    def _book_another(self, claimed: Claimed, stop: threading.Event) -> None:
        self._permits.take(own_probe=claimed.probe, patience_ms=PATIENCE_MS, stop=stop)
