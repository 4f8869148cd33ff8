"""Sign-ups that look like a program's, and the person who decides on them."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from pydantic import TypeAdapter, ValidationError

from services.delivery.worker import Delivery
from services.submission.field_types import Address
from store.engine.clock import Clock
from store.errors import StoreError
from store.key_value import KeyValue
from store.recovery.durable_accept import Judgement
from store.signups.batch import PROVEN
from store.signups.suspected import Place, Suspect, SuspectedSignups, Waiting

log = structlog.get_logger(__name__)

# Decisions on many at once: what a request may take at most, so that it ends in time.
BULK_MOST = 5_000
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)
_LOOKED_AT = "suspected_looked_at"
# Rather some seen twice than a write for each look.
_LOOK_MS = 60_000


@dataclass(frozen=True)
class SuspectPage:
    """Some that wait; `after` is where the next page begins, None on the last."""

    suspects: tuple[Suspect, ...]
    after: str | None


@dataclass(frozen=True)
class SuspectedReview:
    """Keeps suspected sign-ups apart until an admin releases or deletes them; nothing is sent before."""

    suspected: SuspectedSignups
    meta: KeyValue
    delivery: Delivery
    clock: Clock

    def holds(self, signup_id: str) -> bool:
        """Whether it was kept here, released or not. Raises store.StoreUnavailable."""
        return self.suspected.find(signup_id) is not None

    def waiting(self, limit: int, *, reason: str | None = None) -> list[Suspect]:
        """Those that nobody has decided on, the likeliest people first, of these the newest first.

        `reason` is one of `protection.RULES`. Raises store.StoreUnavailable.
        """
        return self.suspected.waiting(limit, reason=reason)

    def page(self, limit: int, *, after: str | None = None, reason: str | None = None) -> SuspectPage:
        """The same by pages; `after` is what the page before said. Raises store.StoreUnavailable."""
        found = self.suspected.waiting(limit + 1, after=_place(after), reason=reason)
        shown, more = found[:limit], len(found) > limit
        last = shown[-1] if more else None
        following = f"{last.rank}.{last.received_at}.{last.id}" if last else None
        return SuspectPage(tuple(shown), following)

    def of_address(self, address: str, limit: int) -> list[Suspect]:
        """Those of one address, however it is spelled, newest first; none for what is no address.

        Raises store.StoreUnavailable.
        """
        try:
            contact_key = _ADDRESS.validate_python(address.strip())
        except ValidationError:
            return []
        return self.suspected.of_contact(contact_key, limit)

    def to_confirm(self, reason: str, limit: int) -> tuple[list[Suspect], int]:
        """Some of a reason, before all are decided on, and the time (epoch ms) up to which that is done."""
        return self.waiting(limit, reason=reason), self.clock()

    def count(self) -> int:
        """How many wait for a decision, a thousand of each rank at most. Raises store.StoreUnavailable."""
        return self.suspected.count()

    def counts(self) -> Waiting:
        """The same by how likely they are people's. Raises store.StoreUnavailable."""
        return self.suspected.counts()

    def look(self) -> None:
        """An admin looks at them now: what comes later is new. Never raises."""
        now = self.clock()
        try:
            if not 0 <= now - self._looked_at() < _LOOK_MS:
                self.meta.put(_LOOKED_AT, str(now))
        except StoreError as error:
            log.warning("look_not_noted", error=type(error).__name__)

    def new(self) -> int:
        """How many came since an admin looked last, a thousand at most. Raises store.StoreUnavailable."""
        return self.suspected.newer(self._looked_at())

    def release(self, signup_id: str) -> bool:
        """Deliver it like any other sign-up; False when it does not wait here (any more)."""
        released = self.suspected.release(signup_id, now=self.clock())
        if released:
            log.info("suspected_signup_released", signup_id=signup_id)
            self.delivery.wake()
        return released

    def try_again(self, signup_id: str, judgement: Judgement) -> bool:
        """Its sender tried again, and is judged like this now: whether it is released by that.

        Who solved a captcha this time, and breaks another rule, is at least looked at by a person.
        """
        if judgement.broken and judgement.rank != PROVEN:
            return False
        released = self.suspected.try_again(
            signup_id,
            now=self.clock(),
            believed=not judgement.broken,
            limits=judgement.limits,
            once=judgement.once,
            rank=judgement.rank,
        )
        if released:
            log.info("suspected_signup_proven", signup_id=signup_id)
            self.delivery.wake()
        return released

    def waits(self, signup_id: str) -> bool:
        """Whether it is kept here and nobody has decided on it. Raises store.StoreUnavailable."""
        found = self.suspected.find(signup_id)
        return found is not None and found.released_at is None

    def release_all(self, reason: str, *, seen: int) -> int:
        """Deliver those with that reason that were received by `seen` (epoch ms), `BULK_MOST` at most."""
        released = self.suspected.release_of(reason, seen=seen, now=self.clock(), most=BULK_MOST)
        log.info("suspected_signups_released", reason=reason, signups=released)
        if released:
            self.delivery.wake()
        return released

    def delete(self, signup_id: str) -> bool:
        """Remove it for good; False when it does not wait here (any more)."""
        deleted = self.suspected.delete(signup_id)
        if deleted:
            log.info("suspected_signup_deleted", signup_id=signup_id)
        return deleted

    def delete_all(self, reason: str, *, seen: int) -> int:
        """Remove those with that reason that were received by `seen` (epoch ms), `BULK_MOST` at most.

        Not those that were proven to be a person's: they are looked at one by one.
        """
        deleted = self.suspected.delete_of(reason, seen=seen, most=BULK_MOST)
        log.info("suspected_signups_deleted", reason=reason, signups=deleted)
        return deleted

    def _looked_at(self) -> int:
        return int(self.meta.get(_LOOKED_AT) or 0)


def _place(text: str | None) -> Place | None:
    """The place that a page named; None, the beginning, for what no page of ours has named."""
    rank, _, rest = (text or "").partition(".")
    received_at, _, signup_id = rest.partition(".")
    if rank not in {"0", "1", "2"} or not (received_at.isascii() and received_at.isdecimal()):
        return None
    # PostgreSQL takes no larger number, and no NUL.
    if len(received_at) > 18 or not signup_id.isprintable():
        return None
    return Place(int(rank), int(received_at), signup_id)
