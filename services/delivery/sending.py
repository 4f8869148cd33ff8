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
    NoCallLeft,
    Rejected,
    Remedy,
    SignedUp,
)
from services.delivery.departure import PATIENCE_MS
from services.delivery.filling import filled
from services.delivery.merging import Merged
from services.delivery.naming import Named, Naming
from services.permits import CallPermits
from services.vocabulary import Vocabulary
from store import Claimed

# sign_up_form makes an unsubscribed contact explicit again and revives a deleted one, so a wish that was not
# carried out at once is held against what the person did since.
STALE_MS = 86_400_000
# The last call begins PATIENCE_MS after that at the latest and takes 15 s at most: within the lease of 60 s.
LATEST_BOOKING_MS = 38_000


class LeftSince(ConstantContactError):
    """The person unsubscribed, or was deleted, after the sign-up; sending it would bring them back."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = (
        "The person left after this sign-up, which waited for more than a day, so it was not sent. "
        "They come back with a new sign-up of their own."
    )


class Sender:
    """Sends what a claim holds. The claim booked the first call; every further one takes a permit."""

    def __init__(
        self,
        *,
        vendor: ConstantContact,
        permits: CallPermits,
        vocabulary: Vocabulary,
        clock: Callable[[], int],
    ) -> None:
        """`clock` tells epoch milliseconds."""
        self._vendor = vendor
        self._permits = permits
        self._naming = Naming(vendor=vendor, vocabulary=vocabulary)
        self._clock = clock

    def send(self, claimed: Claimed, merged: Merged, stop: threading.Event) -> SignedUp:
        """Make the contact what the merged sign-ups ask for; safe to repeat from the start at any point.

        Raises:
            ConstantContactError: a call failed, or `stop` was set before a further one.
        """
        book = _Bookings(claimed, self._permits, stop, self._clock)
        named = self._naming.named(merged, book)
        try:
            return self._carry_out(merged, named, book)
        except Rejected:
            # A field or a tag may have been deleted in the account, or made anew, since they were looked up.
            again = self._anew(merged, named, book)
            if again is None:
                raise
            return self._carry_out(merged, again, book)

    def _anew(self, merged: Merged, named: Named, book: _Bookings) -> Named | None:
        if not named.by_name:
            return None
        again = self._naming.named(merged, book, anew=True)
        return None if again == named else again

    def _carry_out(self, merged: Merged, named: Named, book: _Bookings) -> SignedUp:
        signed_up = self._sign_up(merged, named, book)
        if named.tag_ids:
            book()
            self._vendor.add_tags(signed_up.contact_id, named.tag_ids)
        return signed_up

    def _sign_up(self, merged: Merged, named: Named, book: _Bookings) -> SignedUp:
        held, address = None, named.body["email_address"]
        stale = self._clock() - merged.newest > STALE_MS
        if stale or named.offered:
            book()
            held = self._vendor.find_contact(address)
            if stale and held is not None and held.left_after(merged.newest):
                raise LeftSince
            if stale and held is not None and held.left_messages_after(merged.newest):
                # That was left alone; the rest of the wish was not.
                named = named.without_messages()
        if len(address) <= LONGEST_SIGN_UP_ADDRESS:
            book()
            return self._vendor.sign_up(filled(named.body, named.offered, held))
        return self._send_long(named, held, book)

    def _send_long(self, named: Named, held: Contact | None, book: _Bookings) -> SignedUp:
        if held is None:
            book()
            try:
                return self._vendor.create_contact(filled(named.body, named.offered, held))
            except Conflict:
                # The answer names the contact in its text only.
                book()
                held = self._vendor.find_contact(named.body["email_address"])
                if held is None:
                    raise
        book()
        return self._vendor.update_contact(held, filled(named.body, named.offered, held))


class _Bookings:
    """Called before each call of one delivery: the claim booked the first."""

    def __init__(
        self, claimed: Claimed, permits: CallPermits, stop: threading.Event, clock: Callable[[], int]
    ) -> None:
        self._claimed = claimed
        self._permits = permits
        self._stop = stop
        self._clock = clock
        self._first = True

    def __call__(self) -> None:
        """Book a call; raises ConstantContactError when none can be had in time."""
        if self._first:
            self._first = False
            return
        if self._clock() - self._claimed.booked_at > LATEST_BOOKING_MS:
            # What was looked up and made so far is kept, so the next try gets further.
            raise NoCallLeft
        self._permits.take(own_probe=self._claimed.probe, patience_ms=PATIENCE_MS, stop=self._stop)
