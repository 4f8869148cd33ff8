"""What an operator does with sign-ups: look at them, send parked ones again, drop, export."""

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
    """The outcome of sending a sign-up again."""

    DUE = auto()
    NOT_PARKED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class SignupCase:
    """One sign-up, the calls made for it, and a sentence on what happens next or is to be done."""

    record: SignupRecord
    attempts: tuple[CallRecord, ...]
    what_next: str


@dataclass(frozen=True)
class SignupActions:
    """What an operator may see and do. It shows personal data, so it is for operators alone."""

    records: SignupRecords
    deliveries: Deliveries
    care: DeliveryActions
    quota: QuotaLedger
    lists: ListCache
    clock: Clock

    def newest(
        self, *, limit: int, state: str | None = None, email: str | None = None, since: int | None = None
    ) -> list[SignupRecord]:
        """Return the newest sign-ups: in a state, of an address, received at `since` (epoch ms) or later.

        Raises:
            AddressUnclear: `email` is no address.
        """
        return self.records.newest(SignupFilter(state, _key(email), since), limit)

    def show(self, signup_id: str) -> SignupCase | None:
        """Return everything about one sign-up, None for an unknown id."""
        record = self.records.find(signup_id)
        if record is None:
            return None
        carrier = None if record.merged_into is None else self.records.signup_of(record.merged_into)
        what_next = advice(record, carrier=carrier, now=self.clock())
        return SignupCase(record, tuple(self.records.attempts_for(record)), what_next)

    def retry(self, signup_id: str) -> Retry:
        """Make a parked sign-up due again, with all its tries."""
        if self.deliveries.retry(signup_id, now=self.clock()):
            log.info("signup_retried", signup_id=signup_id)
            return Retry.DUE
        return Retry.UNKNOWN if self.records.find(signup_id) is None else Retry.NOT_PARKED

    def retry_all_parked(self) -> int:
        """Make every parked sign-up due again; return how many."""
        ids = self.records.parked_ids()
        retried = sum(self.deliveries.retry(signup_id, now=self.clock()) for signup_id in ids)
        self.quota.try_again()
        log.info("all_parked_retried", signups=retried)
        return retried

    def drop(self, signup_id: str, reason: str) -> bool:
        """Decide that a waiting or parked sign-up is never sent; it stays on record with the reason.

        Return False when it is being sent, has ended, or is unknown.

        Raises:
            UnusableDecision: There is no reason, or it is too long.
        """
        note = f"Dropped: {usable_reason(reason, LONGEST_REASON)}"
        dropped = self.care.drop(signup_id, now=self.clock(), note=note)
        if dropped:
            log.info("signup_dropped", signup_id=signup_id)
        return dropped

    def replace_list(self, old: str, new: str) -> int:
        """Send what waits or is parked for the list `old` to the list `new`; return how many sign-ups.

        The submission stays as it is, since it is evidence; the deliveries change.

        Raises:
            UnusableDecision: One of them is no list's id, or the account does not have the new one.
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

    def all(self, *, email: str | None = None) -> Iterator[SignupRecord]:
        """Yield every sign-up, or those of one address, oldest first, without holding all in memory.

        Raises:
            AddressUnclear: `email` is no address.
        """
        return self.records.all(SignupFilter(contact_key=_key(email)))


def _list_id(text: str) -> str:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise UnusableDecision(
            f"“{text}” is no list's id; `flask lists` prints them. An id looks like"
            " 01234567-89ab-4cde-8f01-23456789abcd."
        ) from None


def usable_reason(text: str, longest: int) -> str:
    """Return a reason with single blanks. Raises UnusableDecision where it is empty or too long."""
    reason = " ".join(mended(text).split())
    if not reason or len(reason) > longest:
        raise UnusableDecision(f"Say why, in at most {longest} characters.")
    return reason


def contact_key(email: str) -> str:
    """Return the address as it is stored. Raises AddressUnclear."""
    try:
        return _ADDRESS.validate_python(email.strip())
    except ValidationError:
        raise AddressUnclear(f"“{email}” is no e-mail address.") from None


def _key(email: str | None) -> str | None:
    return None if email is None else contact_key(email)
