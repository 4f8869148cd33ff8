"""Suspected sign-ups: kept apart until an admin releases or deletes them."""

from dataclasses import dataclass

import structlog

from services.delivery.worker import Delivery
from services.signups.manage import AddressUnclear, contact_key
from store.engine.clock import Clock
from store.errors import StoreError
from store.key_value import KeyValue
from store.signups.batch import PROVEN, Judgement
from store.signups.suspected import Place, Suspect, SuspectedSignups, Waiting

log = structlog.get_logger(__name__)

# How many sign-ups one request decides on at most, so that it ends in time.
BULK_MOST = 5_000
_LOOKED_AT = "suspected_looked_at"
# The time of the last look is written once a minute at most; sign-ups of that minute count as new again.
_LOOK_MS = 60_000


@dataclass(frozen=True)
class SuspectPage:
    """One page of those that wait; `after` leads to the next page, None on the last."""

    suspects: tuple[Suspect, ...]
    after: str | None


@dataclass(frozen=True)
class SuspectedReview:
    """What an admin may see of suspected sign-ups and decide on them; nothing is sent before a release.

    Every method but `look` raises store.errors.StoreError where the database cannot be used.
    """

    suspected: SuspectedSignups
    meta: KeyValue
    delivery: Delivery
    clock: Clock

    def holds(self, signup_id: str) -> bool:
        """Return whether it was suspected, released or not."""
        return self.suspected.find(signup_id) is not None

    def waiting(self, limit: int, *, reason: str | None = None) -> list[Suspect]:
        """Return those that nobody has decided on, the likeliest people first, of these the newest first.

        `reason` is a name of services.protection.rules.RULES.
        """
        return self.suspected.waiting(limit, reason=reason)

    def page(self, limit: int, *, after: str | None = None, reason: str | None = None) -> SuspectPage:
        """Return one page of the same; `after` is that of the page before."""
        found = self.suspected.waiting(limit + 1, after=_place(after), reason=reason)
        shown, more = found[:limit], len(found) > limit
        last = shown[-1] if more else None
        following = f"{last.rank}.{last.received_at}.{last.id}" if last else None
        return SuspectPage(tuple(shown), following)

    def of_address(self, address: str, limit: int) -> list[Suspect]:
        """Return those of one address, however it is spelled, newest first; none for what is no address."""
        try:
            return self.suspected.of_contact(contact_key(address), limit)
        except AddressUnclear:
            return []

    def to_confirm(self, reason: str, limit: int) -> tuple[list[Suspect], int]:
        """Return some of a reason, and the time (epoch ms) up to which all of it are to be decided on."""
        return self.waiting(limit, reason=reason), self.clock()

    def counts(self) -> Waiting:
        """Return how many wait for a decision, by how likely they are people's, up to 1,000 of each rank."""
        return self.suspected.counts()

    def look(self) -> None:
        """Note that an admin looks at them now, so that what comes later is new. Never raises."""
        now = self.clock()
        try:
            if not 0 <= now - self._looked_at() < _LOOK_MS:
                self.meta.put(_LOOKED_AT, str(now))
        except StoreError as error:
            log.warning("look_not_noted", error=type(error).__name__)

    def new(self) -> int:
        """Return how many came since an admin looked last, a thousand at most."""
        return self.suspected.newer(self._looked_at())

    def release(self, signup_id: str) -> bool:
        """Deliver it like any other sign-up; return False when it does not wait (any more)."""
        released = self.suspected.release(signup_id, now=self.clock())
        if released:
            log.info("suspected_signup_released", signup_id=signup_id)
            self.delivery.wake()
        return released

    def try_again(self, signup_id: str, judgement: Judgement) -> bool:
        """Judge it anew, since its sender tried again; return whether it is released.

        Where the sender solved a captcha this time and breaks another rule, it waits with the rank PROVEN.
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
        """Return whether it is suspected and nobody has decided on it."""
        found = self.suspected.find(signup_id)
        return found is not None and found.released_at is None

    def release_all(self, reason: str, *, seen: int) -> int:
        """Release those of a reason received by `seen` (epoch ms), BULK_MOST at most; return how many."""
        released = self.suspected.release_of(reason, seen=seen, now=self.clock(), most=BULK_MOST)
        log.info("suspected_signups_released", reason=reason, signups=released)
        if released:
            self.delivery.wake()
        return released

    def delete(self, signup_id: str) -> bool:
        """Delete it for good; return False when it does not wait (any more)."""
        deleted = self.suspected.delete(signup_id)
        if deleted:
            log.info("suspected_signup_deleted", signup_id=signup_id)
        return deleted

    def delete_all(self, reason: str, *, seen: int) -> int:
        """Delete those of a reason received by `seen` (epoch ms), BULK_MOST at most; return how many.

        Those proven to be a person's are left out: an admin decides on each of them.
        """
        deleted = self.suspected.delete_of(reason, seen=seen, most=BULK_MOST)
        log.info("suspected_signups_deleted", reason=reason, signups=deleted)
        return deleted

    def _looked_at(self) -> int:
        return int(self.meta.get(_LOOKED_AT) or 0)


def _place(text: str | None) -> Place | None:
    """Parse the `after` of a page; None, the beginning, for what no page of ours has made."""
    rank, _, rest = (text or "").partition(".")
    received_at, _, signup_id = rest.partition(".")
    if rank not in {"0", "1", "2"} or not (received_at.isascii() and received_at.isdecimal()):
        return None
    # PostgreSQL takes no larger number, and no NUL in a text.
    if len(received_at) > 18 or not signup_id.isprintable():
        return None
    return Place(int(rank), int(received_at), signup_id)
