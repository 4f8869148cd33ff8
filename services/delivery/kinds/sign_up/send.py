"""Send sign-ups: the calls that make a contact what its sign-ups ask for, mostly a single one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from services.constant_contact.client import SignedUp
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
from services.delivery.errors import LeftSince, ListGone
from services.delivery.kind import Collaborators, Sent
from services.delivery.kinds.sign_up.confirmed_opt_in import ConfirmedOptIn
from services.delivery.kinds.sign_up.fill_empty import filled
from services.delivery.kinds.sign_up.live_lists import LiveLists
from services.delivery.kinds.sign_up.merge import Merged, merge
from services.delivery.kinds.sign_up.resolve_ids import IdResolver, Resolved
from services.delivery.kinds.sign_up.returning import ASKED, decide_return
from services.delivery.pacing import Calls
from services.delivery.payload import SMS, ContactChange, TimedChange, changes_of
from services.delivery.retry import is_flagged
from store.opt_outs import KnownOptOut
from store.outbox.claimed import Claimed
from store.signups.accept import NewSignup

# A sign-up that waited longer is looked up first: the person may have left the text messages meanwhile.
WAITED_MS = 60_000


class _AlreadyThere(Exception):
    """The account has the contact, which was not looked up before."""

    def __init__(self, contact: Contact) -> None:
        super().__init__()
        self.contact = contact


@dataclass(frozen=True)
class _Sending:
    """A claim while it is sent; `reserve` is called before each call."""

    claimed: Claimed
    changes: tuple[TimedChange, ...]
    reserve: Calls

    @property
    def consented_at(self) -> int | None:
        """Return when (epoch ms) text messages were last agreed to, None for never."""
        consents = (each.received_at for each in self.changes if SMS in each.change.fields.properties)
        return max(consents, default=None)


class SignUp:
    """The kind `sign_up`: create or update a contact, add it to lists, give it tags."""

    name: ClassVar[str] = "sign_up"
    delivered_event: ClassVar[str] = "signup_delivered"

    def __init__(self, collaborators: Collaborators) -> None:
        self._vendor = collaborators.vendor
        self._lists = LiveLists(collaborators.lists)
        self._ids = IdResolver(vendor=collaborators.vendor, fields_and_tags=collaborators.fields_and_tags)
        self._confirmed_opt_in = ConfirmedOptIn(collaborators.vendor, collaborators.clock)
        self._opt_outs = collaborators.opt_outs
        self._returning = collaborators.returning
        self._clock = collaborators.clock

    @staticmethod
    def describe(document: Mapping[str, Any]) -> str:
        """Return for how many lists it is."""
        lists = len(ContactChange.read(document).list_ids)
        return f"sign up for {lists} {'list' if lists == 1 else 'lists'}"

    @staticmethod
    def restore(signup: NewSignup) -> dict[str, Any]:
        """Return the payload that the sign-up's columns say."""
        return ContactChange.of_signup(signup).document()

    def carries(self, claimed: Claimed) -> tuple[int, ...]:
        """Return those whose changes fit into one call."""
        return merge(changes_of(claimed)).carried

    def send(self, claimed: Claimed, reserve: Calls) -> Sent:
        """Make the contact what the claimed sign-ups ask for, as far as the person has not left since.

        Lists that the account no longer has are left out, which the note says.
        """
        merged, signed_up = self._send(claimed, reserve)
        left_out = self._lists.left_out(merged.change.list_ids)
        return Sent(signed_up.contact_id, signed_up.action, merged.carried, left_out)

    def _send(self, claimed: Claimed, reserve: Calls) -> tuple[Merged, SignedUp]:
        sending = _Sending(claimed, changes_of(claimed), reserve)
        coverage = self._opt_outs.covers(claimed)
        known = coverage.opt_out
        if coverage.left_after(claimed.received_at, found=True):
            raise LeftSince
        merged = merge(sending.changes)
        existing: Contact | None = None
        looks_up = known is not None or not coverage.relied_on or merged.fills
        if looks_up or self._may_have_left_messages(sending):
            sending.reserve()
            existing = self._vendor.find_contact(merged.change.address)
        if existing is None and coverage.left_after(claimed.received_at, found=False):
            raise LeftSince
        try:
            if existing is not None:
                return self._send_to(existing, known, sending)
            signed_up = self._sign_up(merged, None, sending)
            return merged, self._confirmed_opt_in.apply(signed_up, sending.changes, sending.reserve)
        except _AlreadyThere as found:
            return self._send_to(found.contact, known, sending)

    def _send_to(
        self, existing: Contact, known: KnownOptOut | None, sending: _Sending
    ) -> tuple[Merged, SignedUp]:
        """Send what an existing contact's opt-out allows; `known` is its entry in the table."""
        asked_at = known.asked_at if known else None
        decision = decide_return(sending.changes, existing, setting=self._returning, asked_at=asked_at)
        merged = merge(decision.allowed)
        contact_key = sending.claimed.contact_key
        if decision.asks:
            self._ask(existing, merged.change, sending)
            self._opt_outs.asked(contact_key, existing.left_at or 0)
            return merged, SignedUp(existing.contact_id, ASKED)
        signed_up = self._sign_up(merged, existing, sending)
        if known is not None:
            self._opt_outs.forget(contact_key)
        return merged, signed_up

    def _may_have_left_messages(self, sending: _Sending) -> bool:
        """Return whether to look the contact up, as no list names who left text messages."""
        claimed = sending.claimed
        waited = claimed.attempts > 1 or self._clock() - claimed.received_at > WAITED_MS
        return waited and sending.consented_at is not None

    def _sign_up(self, merged: Merged, existing: Contact | None, sending: _Sending) -> SignedUp:
        change, reserve, probe = merged.change, sending.reserve, sending.claimed.probe_of is not None
        # A probe finds out whether a list, field or tag that was missing exists again: it ignores the caches.
        live = self._lists.with_restored(change, reserve) if probe else self._lists.without_gone(change)
        merged = replace(merged, change=live)
        resolved = self._ids.resolve(merged, reserve, anew=probe)
        try:
            return self._carry_out(resolved, existing, sending)
        except (Rejected, Misconfigured) as error:
            if probe or is_flagged(error):
                raise
            # A list, a field or a tag may have been deleted in the account, or created anew, meanwhile.
            again = self._ids.resolve(merged, reserve, anew=True) if resolved.looked_up else resolved
            if again == resolved:
                merged = replace(merged, change=self._without_lost_lists(live, reserve, error))
                again = self._ids.resolve(merged, reserve)
            return self._carry_out(again, existing, sending)

    def _ask(self, existing: Contact, change: ContactChange, sending: _Sending) -> None:
        change = self._lists.without_gone(change)
        sending.reserve()
        try:
            self._vendor.ask_to_return(existing, change.list_ids)
        except (Rejected, Misconfigured) as error:
            change = self._without_lost_lists(change, sending.reserve, error)
            sending.reserve()
            self._vendor.ask_to_return(existing, change.list_ids)

    def _without_lost_lists(
        self, change: ContactChange, reserve: Calls, refusal: ConstantContactError
    ) -> ContactChange:
        """Return the change without lists that the account lacks; raise `refusal` if it has all."""
        try:
            left = self._lists.without_missing(change, reserve)
        except (ListGone, NoCallLeft, Throttled, QuotaExceeded):
            raise
        except ConstantContactError:
            # The refusal is about this sign-up; the failure of the look-up is not.
            raise refusal from None
        if left is change:
            raise refusal
        return left

    def _carry_out(self, resolved: Resolved, existing: Contact | None, sending: _Sending) -> SignedUp:
        consented_at = sending.consented_at
        if existing is not None and consented_at is not None and existing.left_messages_after(consented_at):
            # The consent to text messages is left out; all else of the sign-up is not.
            resolved = resolved.without_messages()
        signed_up = self._upsert(resolved, existing, sending.reserve)
        if resolved.tag_ids:
            sending.reserve()
            self._vendor.add_tags(signed_up.contact_id, resolved.tag_ids)
        return signed_up

    def _upsert(self, resolved: Resolved, existing: Contact | None, reserve: Calls) -> SignedUp:
        fields = filled(resolved.data.fields, resolved.fills, existing)
        data = replace(resolved.data, fields=fields)
        reserve()
        if not resolved.by_ids:
            return self._vendor.sign_up(data)
        if existing is not None:
            return self._vendor.update_contact(existing, data)
        try:
            return self._vendor.create_contact(data)
        except Conflict:
            # The vendor's answer names the contact's id only within a sentence.
            reserve()
            found = self._vendor.find_contact(data.address)
            if found is None:
                raise
            raise _AlreadyThere(found) from None
