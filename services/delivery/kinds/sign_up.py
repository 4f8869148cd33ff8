"""The calls that carry one claimed delivery to the vendor: mostly one, each booked in the shared budget."""

from __future__ import annotations

import threading
from collections.abc import Callable

from services.account.fields_and_tags import FieldsAndTags
from services.account.lists import ListCache
from services.account.opt_outs import OptOutTable
from services.constant_contact.client import ConstantContact, SignedUp
from services.constant_contact.contacts import Contact
from services.constant_contact.errors import (
    Conflict,
    ConstantContactError,
    Misconfigured,
    NoCallLeft,
    QuotaExceeded,
    Rejected,
    Throttled,
)
from services.constant_contact.quota import CallQuota
from services.delivery.confirmed_opt_in import Confirming
from services.delivery.fill_empty import SMS, filled
from services.delivery.live_lists import ListGone, LiveLists
from services.delivery.merge import Merged, merge
from services.delivery.pacing import PATIENCE_MS
from services.delivery.resolve_ids import IdResolver, Resolved
from services.delivery.retry import is_flagged
from services.delivery.returning import ASKED, Returning, ruling
from store.opt_outs import KnownOptOut
from store.outbox.deliveries import Claimed

# From then on a wish was not carried out at once, and the person may have left meanwhile.
WAITED_MS = 60_000
# The last call begins PATIENCE_MS after that at the latest and takes 15 s at most: within the lease of 60 s.
LATEST_BOOKING_MS = 38_000


class _Known(Exception):
    """The vendor has the contact already, which was not looked up before."""

    def __init__(self, contact: Contact) -> None:
        super().__init__()
        self.contact = contact


class SignUpSender:
    """Sends what a claim holds. The claim booked the first call; every further one takes a permit."""

    def __init__(
        self,
        *,
        vendor: ConstantContact,
        permits: CallQuota,
        lists: ListCache,
        vocabulary: FieldsAndTags,
        opt_outs: OptOutTable,
        returning: Returning,
        clock: Callable[[], int],
    ) -> None:
        """`clock` tells epoch milliseconds.

        `returning` is what becomes of somebody who had left, where the sender does not say.
        """
        self._vendor = vendor
        self._permits = permits
        self._lists = LiveLists(lists)
        self._naming = IdResolver(vendor=vendor, vocabulary=vocabulary)
        self._confirming = Confirming(vendor, clock)
        self._opt_outs = opt_outs
        self._returning = returning
        self._clock = clock

    def send(self, claimed: Claimed, stop: threading.Event) -> tuple[Merged, SignedUp]:
        """Make the contact what the claimed sign-ups ask for; safe to repeat from the start at any point.

        Returns:
            What was carried out, which may be less than the claim could carry, and the vendor's answer.

        Lists that the account no longer has are left out.

        Raises:
            ConstantContactError: a call failed, or `stop` was set before a further one.
        """
        book = _Bookings(claimed, self._permits, stop, self._clock)
        covered, known = self._opt_outs.covers(claimed)
        merged = merge(claimed.payload, claimed.received_at, claimed.younger)
        held: Contact | None = None
        if known is not None or not covered or merged.offered or self._may_have_left_messages(claimed):
            book()
            held = self._vendor.find_contact(claimed.payload["email_address"])
        try:
            if held is None:
                signed_up = self._sign_up(merged, None, _consented_at(claimed), book)
                return merged, self._confirming.told(signed_up, claimed, book)
            return self._send_to(held, claimed, known, book)
        except _Known as found:
            return self._send_to(found.contact, claimed, known, book)

    def _send_to(
        self, held: Contact, claimed: Claimed, known: KnownOptOut | None, book: _Bookings
    ) -> tuple[Merged, SignedUp]:
        """Send what the contact's own wish allows; `known` is what was on record before it was looked up."""
        asked_at = known.asked_at if known else None
        allowed = ruling(claimed, held, setting=self._returning, asked_at=asked_at)
        merged = merge(claimed.payload, claimed.received_at, allowed.younger)
        if allowed.asks:
            self._ask(held, merged, book)
            self._opt_outs.asked(claimed.contact_key, held.left_at or 0)
            return merged, SignedUp(held.contact_id, ASKED)
        signed_up = self._sign_up(merged, held, _consented_at(claimed), book)
        if known is not None:
            self._opt_outs.forget(claimed.contact_key)
        return merged, signed_up

    def _may_have_left_messages(self, claimed: Claimed) -> bool:
        """No list of the vendor's tells who left its text messages: a wish that waited looks for itself."""
        waited = claimed.attempts > 1 or self._clock() - claimed.received_at > WAITED_MS
        return waited and _consented_at(claimed) is not None

    def _sign_up(
        self, merged: Merged, held: Contact | None, consented_at: int | None, book: _Bookings
    ) -> SignedUp:
        """`consented_at` is when (epoch ms) text messages were last agreed to, None for never."""
        # What was missing may be there again, which only the vendor knows: that is what a probe asks.
        merged = self._lists.kept_if_back(merged, book) if book.probe else self._lists.kept(merged)
        named = self._named(merged, held, consented_at, book, anew=book.probe)
        try:
            return self._carry_out(named, held, book)
        except (Rejected, Misconfigured) as error:
            if book.probe or is_flagged(error):
                raise
            # A list, a field or a tag may have been deleted in the account, or made anew, meanwhile.
            again = self._named(merged, held, consented_at, book, anew=True) if named.by_name else named
            if again == named:
                merged = self._without_lost_lists(merged, book, error)
                again = self._named(merged, held, consented_at, book)
            return self._carry_out(again, held, book)

    def _named(
        self,
        merged: Merged,
        held: Contact | None,
        consented_at: int | None,
        book: _Bookings,
        *,
        anew: bool = False,
    ) -> Resolved:
        named = self._naming.named(merged, book, anew=anew)
        if held is not None and consented_at is not None and held.left_messages_after(consented_at):
            # That was left alone; the rest of the wish was not.
            return named.without_messages()
        return named

    def _ask(self, held: Contact, merged: Merged, book: _Bookings) -> None:
        merged = self._lists.kept(merged)
        book()
        try:
            self._vendor.ask_to_return(held, merged.body["list_memberships"])
        except (Rejected, Misconfigured) as error:
            merged = self._without_lost_lists(merged, book, error)
            book()
            self._vendor.ask_to_return(held, merged.body["list_memberships"])

    def _without_lost_lists(self, merged: Merged, book: _Bookings, refusal: ConstantContactError) -> Merged:
        """The wish without the lists that a look shows to be gone; raises `refusal` if none is."""
        try:
            kept = self._lists.kept_anew(merged, book)
        except (ListGone, NoCallLeft, Throttled, QuotaExceeded):
            raise
        except ConstantContactError:
            # The refusal is the vendor's word on this sign-up, whatever ails the look-up.
            raise refusal from None
        if kept is merged:
            raise refusal
        return kept

    def left_out(self, merged: Merged) -> str | None:
        """What to tell a person of lists that were left out of what was sent."""
        return self._lists.left_out(merged.body["list_memberships"])

    def _carry_out(self, named: Resolved, held: Contact | None, book: _Bookings) -> SignedUp:
        signed_up = self._upsert(named, held, book)
        if named.tag_ids:
            book()
            self._vendor.add_tags(signed_up.contact_id, named.tag_ids)
        return signed_up

    def _upsert(self, named: Resolved, held: Contact | None, book: _Bookings) -> SignedUp:
        wish = filled(named.body, named.offered, held)
        book()
        if not named.by_ids:
            return self._vendor.sign_up(wish)
        if held is not None:
            return self._vendor.update_contact(held, wish)
        try:
            return self._vendor.create_contact(wish)
        except Conflict:
            # The answer names the contact in its text only.
            book()
            found = self._vendor.find_contact(wish["email_address"])
            if found is None:
                raise
            raise _Known(found) from None


def _consented_at(claimed: Claimed) -> int | None:
    wishes = [(claimed.received_at, claimed.payload)]
    wishes += [(other.received_at, other.payload) for other in claimed.younger]
    return max((received_at for received_at, wish in wishes if SMS in wish), default=None)


class _Bookings:
    """Called before each call of one delivery: the claim booked the first."""

    def __init__(
        self, claimed: Claimed, permits: CallQuota, stop: threading.Event, clock: Callable[[], int]
    ) -> None:
        self._claimed = claimed
        self._permits = permits
        self._stop = stop
        self._clock = clock
        self._first = True
        self.probe = claimed.probe_of is not None

    def __call__(self) -> None:
        """Book a call; raises ConstantContactError when none can be had in time."""
        if self._first:
            self._first = False
            return
        if self._clock() - self._claimed.booked_at > LATEST_BOOKING_MS:
            # What was looked up and made so far is kept, so the next try gets further.
            raise NoCallLeft
        self._permits.take(own_probe=self._claimed.probe, patience_ms=PATIENCE_MS, stop=self._stop)
