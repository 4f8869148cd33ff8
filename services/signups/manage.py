"""Looking after sign-ups: see what happened to them, send parked ones again, hand all of them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID

import structlog
from pydantic import TypeAdapter, ValidationError

from services.account.lists import ListCache
from services.errors import ServiceError
from services.plain_text import mended
from services.signups.advice import advice
from services.submission.field_types import Address
from store.engine.clock import Clock
from store.outbox.deliveries import Deliveries
from store.outbox.manage import DeliveryActions
from store.quota.ledger import QuotaLedger
from store.signups.records import CallRecord, SignupFilter, SignupRecord, SignupRecords

log = structlog.get_logger(__name__)

STATES = ("ready", "sending", "delivered", "parked", "merged", "dropped")
LONGEST_REASON = 500
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)


class AddressUnclear(ServiceError):
    """No sign-up can have this address."""


class UnusableDecision(ServiceError):
    """What a person asked for cannot be done; the message says why, and what can."""


class Retry(Enum):
    """What came of the wish to send a sign-up again."""

    DUE = auto()
    NOT_PARKED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class SignupCase:
    """One sign-up, the calls made for it, and in plain words what happens next or is to be done."""

    record: SignupRecord
    attempts: tuple[CallRecord, ...]
    what_next: str


@dataclass(frozen=True)
class SignupActions:
    """What an operator may see and do. It shows people's data, so it is for operators alone."""

    records: SignupRecords
    deliveries: Deliveries
    care: DeliveryActions
    budget: QuotaLedger
    lists: ListCache
    clock: Clock

    def newest(
        self, *, limit: int, state: str | None = None, email: str | None = None, since: int | None = None
    ) -> list[SignupRecord]:
        """The newest sign-ups, in that state, of that address, received at `since` (epoch ms) or later.

        Raises:
            AddressUnclear: `email` is none.
        """
        return self.records.newest(SignupFilter(state, _contact_key(email), since), limit)

    def show(self, signup_id: str) -> SignupCase | None:
        """Everything about one sign-up; None when there is none of that id."""
        record = self.records.find(signup_id)
        if record is None:
            return None
        carrier = None if record.merged_into is None else self.records.signup_of(record.merged_into)
        what_next = advice(record, carrier=carrier, now=self.clock())
        return SignupCase(record, tuple(self.records.attempts_for(record)), what_next)

    def retry(self, signup_id: str) -> Retry:
        """Make a parked sign-up due again, as if never tried."""
        if self.deliveries.retry(signup_id, now=self.clock()):
            log.info("signup_retried", signup_id=signup_id)
            return Retry.DUE
        return Retry.UNKNOWN if self.records.find(signup_id) is None else Retry.NOT_PARKED

    def retry_all_parked(self) -> int:
        """Make every sign-up due again that is parked now; returns how many."""
        ids = self.records.parked_ids()
        retried = sum(self.deliveries.retry(signup_id, now=self.clock()) for signup_id in ids)
        self.budget.try_again()
        log.info("all_parked_retried", signups=retried)
        return retried

    def drop(self, signup_id: str, reason: str) -> bool:
        """Decide that a sign-up which waits or is parked is never sent; it stays on record with the reason.

        False when it is under way, has ended, or is not known.

        Raises:
            UnusableDecision: there is no reason, or it is too long.
        """
        reason = " ".join(mended(reason).split())
        if not reason or len(reason) > LONGEST_REASON:
            raise UnusableDecision(f"Say why, in at most {LONGEST_REASON} characters.")
        dropped = self.care.drop(signup_id, now=self.clock(), note=f"Dropped: {reason}")
        if dropped:
            log.info("signup_dropped", signup_id=signup_id)
        return dropped

    def replace_list(self, old: str, new: str) -> int:
        """Send what waits or is parked for the list `old` to the list `new`; returns how many sign-ups.

        What was submitted stays as it is: it is the evidence.

        Raises:
            UnusableDecision: one of them is no list's id, or the account does not have the new one.
        """
        old, new = _list_id(old), _list_id(new)
        if old == new:
            raise UnusableDecision("Both are the same list.")
        known = self.lists.known()
        names = {entry.list_id: entry.name for entry in known.entries} if known else {}
        if known and new not in names:
            raise UnusableDecision(
                f"The account has no list {new}. If it is new, run `flask lists` first, which asks again."
            )
        note = f"A person replaced the list {old} by “{names.get(new, new)}” ({new})."
        changed = self.care.replace_list(old, new, now=self.clock(), note=note)
        log.info("list_replaced", signups=changed)
        return changed

    def parked(self, limit: int) -> list[SignupRecord]:
        """The newest that wait for a person, or until what they are refused for is mended."""
        return self.records.newest(SignupFilter("parked"), limit)

    def all(self, *, email: str | None = None) -> Iterator[SignupRecord]:
        """Every sign-up, or those of one address, oldest first, without holding them all in memory.

        Raises:
            AddressUnclear: `email` is none.
        """
        return self.records.all(SignupFilter(contact_key=_contact_key(email)))


def _list_id(text: str) -> str:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise UnusableDecision(
            f"“{text}” is no list's id; `flask lists` prints them. An id looks like"
            " 01234567-89ab-4cde-8f01-23456789abcd."
        ) from None


def _contact_key(email: str | None) -> str | None:
    if email is None:
        return None
    try:
        return _ADDRESS.validate_python(email.strip())
    except ValidationError:
        raise AddressUnclear(f"“{email}” is no e-mail address.") from None
