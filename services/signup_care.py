"""Looking after sign-ups: see what happened to them, send parked ones again, hand all of them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

import structlog
from pydantic import TypeAdapter, ValidationError

from services.errors import ServiceError
from services.signup_words import advice
from services.submission import Address
from store import Attempt, Deliveries, SignupRecord, SignupRecords, Sought

log = structlog.get_logger(__name__)

STATES = ("ready", "sending", "delivered", "parked", "merged")
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)


class AddressUnclear(ServiceError):
    """No sign-up can have this address."""


class Retry(Enum):
    """What came of the wish to send a sign-up again."""

    DUE = auto()
    NOT_PARKED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Case:
    """One sign-up, the calls made for it, and in plain words what happens next or is to be done."""

    record: SignupRecord
    attempts: tuple[Attempt, ...]
    what_next: str


class SignupCare:
    """What an operator may see and do. It shows people's data, so it is for operators alone."""

    def __init__(self, *, records: SignupRecords, deliveries: Deliveries, clock: Callable[[], int]) -> None:
        """`clock` tells epoch milliseconds."""
        self._records = records
        self._deliveries = deliveries
        self._clock = clock

    def newest(
        self, *, limit: int, state: str | None = None, email: str | None = None, since: int | None = None
    ) -> list[SignupRecord]:
        """The newest sign-ups, in that state, of that address, received at `since` (epoch ms) or later.

        Raises:
            AddressUnclear: `email` is none.
        """
        return self._records.newest(Sought(state, _contact_key(email), since), limit)

    def show(self, signup_id: str) -> Case | None:
        """Everything about one sign-up; None when there is none of that id."""
        record = self._records.find(signup_id)
        if record is None:
            return None
        carrier = None if record.merged_into is None else self._records.signup_of(record.merged_into)
        what_next = advice(record, carrier=carrier, now=self._clock())
        return Case(record, tuple(self._records.attempts_for(record)), what_next)

    def retry(self, signup_id: str) -> Retry:
        """Make a parked sign-up due again, as if never tried."""
        if self._deliveries.retry(signup_id, now=self._clock()):
            log.info("signup_retried", signup_id=signup_id)
            return Retry.DUE
        return Retry.UNKNOWN if self._records.find(signup_id) is None else Retry.NOT_PARKED

    def retry_all_parked(self) -> int:
        """Make every sign-up due again that is parked now; returns how many."""
        ids = self._records.parked_ids()
        retried = sum(self._deliveries.retry(signup_id, now=self._clock()) for signup_id in ids)
        log.info("all_parked_retried", signups=retried)
        return retried

    def all(self, *, email: str | None = None) -> Iterator[SignupRecord]:
        """Every sign-up, or those of one address, oldest first, without holding them all in memory.

        Raises:
            AddressUnclear: `email` is none.
        """
        return self._records.all(Sought(contact_key=_contact_key(email)))


def _contact_key(email: str | None) -> str | None:
    if email is None:
        return None
    try:
        return _ADDRESS.validate_python(email.strip())
    except ValidationError:
        raise AddressUnclear(f"“{email}” is no e-mail address.") from None
