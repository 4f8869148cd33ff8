"""The table of opt-outs: who unsubscribed at Constant Contact, read from there before it is needed.

Each reading costs a call, instead of one call for each sign-up. Where the table is too old for a delivery,
the delivery looks its contact up instead (`covers`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from services.connection.status import ConnectionStatus
from services.constant_contact.client import ConstantContact
from services.constant_contact.errors import (
    ConnectionUnusable,
    ConstantContactError,
    Misconfigured,
    NoCallLeft,
    Rejected,
    Unreachable,
)
from services.constant_contact.quota import CallQuota
from services.problems import Level, Problem
from store.engine.clock import Clock
from store.errors import StoreError
from store.opt_outs import KnownOptOut, OptOuts, Outlook, Refresh, Standing
from store.outbox.claimed import Claimed
from store.outbox.claims import BACKLOG_PER_DAY, DELIVERIES_PER_DAY, FRESH_MS

log = structlog.get_logger(__name__)

SECOND, MINUTE = 1_000, 60_000
# So many failed readings in a row are a problem.
FAILURES_TOLD = 3
UNREAD = (
    "Constant Contact does not give its list of who unsubscribed. Nobody who left is brought back: until it "
    "does, each sign-up is looked up first, which costs two of the day's calls instead of one."
)
BEING_READ = (
    "The account's list of who unsubscribed is being read for the first time. Until it is known, each "
    "sign-up is looked up first, which costs two of the day's calls instead of one."
)
# How old the table may be. One reading a minute costs at most 1,440 calls a day, one in ten minutes 144; the
# latter applies once BUSY_FROM_CALLS of the day's calls are used.
NEW_MS, NEW_WHILE_BUSY_MS = MINUTE, 10 * MINUTE
BUSY_FROM_CALLS = 5_000
# Between reading the table and using it, a delivery is claimed and waits for its reserved moment.
SLACK_MS = 30 * SECOND
JUST_REFRESHED_MS = 5 * SECOND
# A reading starts so long before the last one: clocks differ, and the vendor's collection lags behind.
OVERLAP_MS = 10 * MINUTE
# The lease of a reading: reserving a call and making it take 17 s at most.
LEASE_MS = 20 * SECOND
# Other processes wait so long for the one that is reading, and look so often whether it is done.
PATIENCE_MS, LOOK_AGAIN_MS = 2 * SECOND, SECOND // 10
FIRST_GAP_MS, LONGEST_GAP_MS = 10 * SECOND, 10 * MINUTE
PAGES_AT_ONCE = 3
# The first reading takes a page of 500 contacts every two seconds, which leaves most calls to sign-ups, and
# at most a fifth of the day's calls.
FILL_EVERY_MS, PAGES_PER_DAY = 2 * SECOND, 2_000
LOOK_EVERY_MS = 30 * SECOND
# Connecting itself makes several calls within its first second.
JUST_CONNECTED_MS = 10 * SECOND


@dataclass(frozen=True)
class Coverage:
    """Whether the table can be `relied_on`, and what it knows of one contact.

    `leaves_at` (epoch ms) is when it was asked here to unsubscribe the contact, until that is done.
    """

    relied_on: bool
    opt_out: KnownOptOut | None
    leaves_at: int | None

    def left_after(self, received_at: int, *, found: bool) -> bool:
        """Whether the contact left after `received_at` (epoch ms), by what is known here.

        What is `found` at the vendor decides, except over what waits to be carried out there.
        """
        known = None if found or self.opt_out is None else self.opt_out.left_at
        return max(self.leaves_at or 0, known or 0) > received_at


@dataclass
class OptOutTable:
    """Keeps the stored table of opt-outs fresh enough for the next delivery."""

    opt_outs: OptOuts
    vendor: ConstantContact
    permits: CallQuota
    connection: ConnectionStatus
    clock: Clock
    # When this process began (epoch ms). A table that was read before may come from a restored backup.
    _since: int = field(default=0, init=False)
    _fill_at: int = field(default=0, init=False)

    def before_claim(self) -> int | None:
        """Read what changed at the vendor, if the next delivery needs it. Called by one thread.

        Returns:
            None where a delivery may be claimed, else when to ask again (epoch ms), since another process is
            reading.
        """
        now = self.clock()
        self._begin(now)
        outlook = self.opt_outs.outlook(now)
        # After a failure of all the next claim is the half-open probe, whose contact is looked up (`covers`).
        if outlook.next_received_at is None or outlook.failing:
            return None
        refresh, used = outlook.refresh, _used(outlook, now)
        waited = now - outlook.next_received_at
        if used >= DELIVERIES_PER_DAY:
            return None
        if used >= BACKLOG_PER_DAY and waited > FRESH_MS:
            # The oldest waits for the next day. What came in within the hour may still go.
            waited = 0
        if self._new_enough(refresh, now, used=used, waited=waited):
            return None
        if now < refresh.lease_until <= now + LEASE_MS:
            return now + LOOK_AGAIN_MS if refresh.lease_until - now > LEASE_MS - PATIENCE_MS else None
        if self._may_read(refresh, now):
            self._read(now, pages=PAGES_AT_ONCE if refresh.refreshed_at else 1)
        return None

    def fill(self) -> float:
        """Read one page of a table that is not complete yet, also while nothing is due. Called by one thread.

        Returns:
            In how many seconds to call again.
        """
        now = self.clock()
        if 0 < self._fill_at - now <= LOOK_EVERY_MS:
            return (self._fill_at - now) / SECOND
        self._fill_at = now + (FILL_EVERY_MS if self._fill(now) else LOOK_EVERY_MS)
        return max(self._fill_at - now, 1) / SECOND

    def covers(self, claimed: Claimed) -> Coverage:
        """Return whether the table is fresh enough for what was claimed, and what it knows of the contact.

        A delivery that was tried before, or is the half-open probe, may have waited for as long as the vendor
        was away, so it needs a table that was read within JUST_REFRESHED_MS.
        """
        standing, now = self.opt_outs.standing(claimed.contact_key), self.clock()
        received_at = min(claimed.received_at, *(other.received_at for other in claimed.younger), now)
        new_enough = self._new_enough(
            standing.refresh, now, used=_used(standing, now), waited=now - received_at, slack=SLACK_MS
        )
        after_failure = claimed.attempts > 1 or claimed.probe
        if after_failure and now - standing.refresh.refreshed_at > JUST_REFRESHED_MS:
            new_enough = False
        return Coverage(new_enough, standing.opt_out, standing.leaves_at)

    def problems(self) -> list[Problem]:
        """Return whether it is unknown who left, which makes each sign-up cost one call more."""
        refresh = self.opt_outs.outlook(self.clock()).refresh
        if refresh.failures >= FAILURES_TOLD:
            return [Problem("opt_outs_unread", Level.WARNING, UNREAD)]
        if not refresh.refreshed_at and refresh.pages:
            return [Problem("opt_outs_being_read", Level.OK, BEING_READ)]
        return []

    def doubt(self) -> None:
        """Note that the vendor could not be reached for a while: what waits now needs a newer table."""
        self.opt_outs.doubt()

    def forget(self, contact_key: str) -> None:
        """Note that this contact has come back."""
        with _only_logged():
            self.opt_outs.forget(contact_key)

    def left(self, contact_key: str) -> None:
        """This contact was unsubscribed from here just now."""
        with _only_logged():
            self.opt_outs.left(contact_key, left_at=self.clock())

    def asked(self, contact_key: str, left_at: int) -> None:
        """Note that the vendor has asked a contact, who left at `left_at` (epoch ms), to come back."""
        with _only_logged():
            self.opt_outs.asked(contact_key, left_at=left_at, now=self.clock())

    def _new_enough(self, refresh: Refresh, now: int, *, used: int, waited: int, slack: int = 0) -> bool:
        if refresh.settled != refresh.doubts or refresh.refreshed_at < max(self._since, 1):
            return False
        busy = used >= BUSY_FROM_CALLS and waited <= MINUTE
        longest = NEW_WHILE_BUSY_MS if busy else NEW_MS
        # A time in the future was written by a clock that has been set back since.
        return -SLACK_MS <= now - refresh.refreshed_at <= longest + slack

    def _fill(self, now: int) -> bool:
        """Read a page where one is missing; return whether the table is incomplete or too old."""
        self._begin(now)
        outlook = self.opt_outs.outlook(now)
        refresh = outlook.refresh
        if refresh.refreshed_at >= max(self._since, 1) and refresh.page is None:
            return False
        if not self.connection.usable():
            return False
        used_up = _used(outlook, now) >= BACKLOG_PER_DAY
        held_back = outlook.failing or used_up or self._just_connected(now)
        if not held_back and not now < refresh.lease_until <= now + LEASE_MS and self._may_read(refresh, now):
            self._read(now, pages=1)
        return True

    def _begin(self, now: int) -> None:
        self._since = self._since or now

    def _just_connected(self, now: int) -> bool:
        connected_at = self.connection.read().connected_at
        return connected_at is not None and 0 <= now - connected_at < JUST_CONNECTED_MS

    def _may_read(self, refresh: Refresh, now: int) -> bool:
        resting = 0 < refresh.try_at - now <= LONGEST_GAP_MS
        used_up = refresh.day == _day(now) and refresh.pages >= PAGES_PER_DAY
        return not resting and not used_up

    def _read(self, now: int, *, pages: int) -> None:
        """Read at most so many pages; log a failure and set the time of the next try, after a growing gap."""
        refresh = self.opt_outs.begin(now, lease_ms=LEASE_MS)
        if refresh is None:
            return
        try:
            for _ in range(pages):
                refresh = self._page(refresh)
                if refresh.page is None:
                    return
            # The rest follows at the pace of FILL_EVERY_MS.
            gap = FILL_EVERY_MS
        except (NoCallLeft, ConnectionUnusable) as error:
            log.info("opt_outs_wait", error=type(error).__name__)
            gap = SECOND
        except ConstantContactError as error:
            again_at = self.clock() + min(LONGEST_GAP_MS, FIRST_GAP_MS << min(refresh.failures, 10))
            log.warning("opt_outs_not_read", error=type(error).__name__, error_key=error.key)
            # The vendor's link to the next page may have expired: begin with the first page again.
            lost = refresh.page is not None and isinstance(error, Rejected | Misconfigured)
            self.opt_outs.failed(again_at, lost=lost)
            return
        self.opt_outs.pause(self.clock() + gap)

    def _page(self, refresh: Refresh) -> Refresh:
        self.permits.reserve()
        answer = self.vendor.opt_outs(max(0, refresh.refreshed_at - OVERLAP_MS), refresh.page)
        following = answer.next
        if following is not None and following == refresh.page:
            raise Unreachable(detail="a page of opt-outs that leads to itself")
        self.opt_outs.keep(answer.entries, following=following, day=_day(self.clock()))
        log.info("opt_outs_read", contacts=len(answer.entries), more=following is not None)
        return replace(refresh, page=following)


@contextmanager
def _only_logged() -> Iterator[None]:
    """Log a store error instead of raising it: the call was made, and must not be made a second time."""
    try:
        yield
    except StoreError as error:
        log.warning("opt_out_not_noted", error=type(error).__name__)


def _used(seen: Outlook | Standing, now: int) -> int:
    """Return the calls used in the current UTC day."""
    return seen.used if seen.day == _day(now) else 0


def _day(now: int) -> str:
    return datetime.fromtimestamp(now / SECOND, UTC).date().isoformat()
