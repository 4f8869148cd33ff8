"""Store a sign-up, or keep it in the spool while the database refuses it: on disk in either case."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import structlog

from store.engine.clock import Clock
from store.errors import KeyTaken, OverLimit, SpoolFirst, StoreError, StoreUnavailable
from store.recovery.offline_limits import OfflineRateLimits
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.signups.accept import NewSignup, Signups
from store.signups.batch import Judgement
from store.signups.idempotency import FirstUse, IdempotencyKey

log = structlog.get_logger(__name__)

# After a refusal by the database the next sign-ups do not wait for the same time-out.
SPOOL_FIRST_MS = 2_000


@dataclass
class DurableAccept:
    """Accepts sign-ups into the database and, while that refuses, into the spool.

    `has_room` tells whether the database's disk may take new sign-ups.
    """

    signups: Signups
    spool: Spool
    spool_import: SpoolImport
    has_room: Callable[[], bool] = field(kw_only=True)
    clock: Clock = field(kw_only=True)
    _refused_until: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._offline_limits = OfflineRateLimits(self.clock)

    def first_with(self, key: IdempotencyKey) -> FirstUse | None:
        """Return the sign-up that has the key, if any; None also while the database cannot tell.

        A repeat that counts twice does less harm than a sign-up that is refused.
        """
        now = self.clock()
        if self._refuses(now):
            return None
        try:
            return self.signups.first_with(key.key_hash, now=now)
        except StoreError as error:
            self._refused_until = self.clock() + SPOOL_FIRST_MS
            log.error("repeat_not_sought", error=type(error).__name__)  # noqa: TRY400 - its text says nothing more
            return None

    def accept(
        self,
        signup: NewSignup,
        *,
        kind: str,
        payload: Mapping[str, object],
        key: IdempotencyKey | None,
        judgement: Judgement,
    ) -> tuple[str, ...] | None:
        """Store a sign-up with its delivery; when this returns, they are on disk.

        Returns:
            The rules for which it is suspected, empty for a sign-up that is delivered; None for one in the
            spool. Of a flood of sign-ups that were found out not all are kept, though the answer is the same.

        Raises:
            KeyTaken: another sign-up has the key; nothing was stored.
            OverLimit: it is one of a flood; nothing was stored.
            StoreError: it could neither be stored nor spooled.
        """
        accept = partial(
            self.signups.accept, signup, kind=kind, payload=payload, key=key, judgement=judgement
        )
        refuses = self._refuses(signup.received_at)
        reasons = None if refuses else self._stored(accept, signup, judgement)
        if reasons is None:
            self._to_spool(signup, kind, payload, judgement)
        return reasons

    def _refuses(self, now: int) -> bool:
        return 0 < self._refused_until - now <= SPOOL_FIRST_MS

    def _stored(
        self, accept: Callable[[], tuple[str, ...]], signup: NewSignup, judgement: Judgement
    ) -> tuple[str, ...] | None:
        """Return the answer of `accept`; None where the database refuses."""
        if not self.has_room():
            raise StoreUnavailable("the disk of the database is nearly full")
        try:
            return self._in_order(accept)
        except OverLimit:
            if judgement.found_out:
                return judgement.broken
            raise
        except KeyTaken:
            raise  # the database is well: the caller answers with the sign-up that has the key
        except StoreError as error:
            self._refused_until = self.clock() + SPOOL_FIRST_MS
            log.error(  # noqa: TRY400 - its place says nothing more
                "store_refused_signup", signup_id=signup.id, error=type(error).__name__, detail=str(error)
            )
            return None

    def _in_order(self, accept: Callable[[], tuple[str, ...]]) -> tuple[str, ...] | None:
        """Store it, unless an older one is still in the spool: then None, so that it queues up behind."""
        try:
            return accept()
        except SpoolFirst:
            return accept() if self.spool_import.catch_up() else None

    def _to_spool(
        self, signup: NewSignup, kind: str, payload: Mapping[str, object], judgement: Judgement
    ) -> None:
        over, retry_after = self._offline_limits.count(judgement.limits)
        if retry_after is not None:
            if judgement.found_out:
                return
            raise OverLimit(over, retry_after=retry_after)
        broken = (*judgement.broken, *over)
        try:
            # Without its Idempotency-Key, which only the database can take: sent again, it counts twice. Nor
            # can the spool tell whether a proof was used before.
            kept = self.spool.keep(signup, kind=kind, payload=payload, broken=broken, rank=judgement.rank)
        except StoreError as error:
            self._refused_until = 0
            log.error("signup_not_stored", error=type(error).__name__, detail=str(error))  # noqa: TRY400 - its place says nothing more
            raise
        event = "signup_spooled" if kept else "suspected_signup_not_kept"
        log.warning(event, signup_id=signup.id, asked_by=signup.asked_by)
