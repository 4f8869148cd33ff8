"""The table of opt-outs: who left at the vendor, and one row that says how far the vendor's list was read.

The list is read in rounds, page by page, by the process that holds the row's lease. After a round the table
knows everybody who had left when the round began.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, null, or_, select, text, update

from store.engine.database import Database
from store.schema.opt_outs import opt_out_refresh, opt_outs
from store.schema.outbox import REFUSED_REQUEST, UNFINISHED, budget, deliveries

# The kind of the deliveries that unsubscribe a contact, see `deliveries.kind`.
LEAVE = "leave"


@dataclass(frozen=True)
class OptedOut:
    """One entry of the vendor's list: who left, and when (epoch ms)."""

    contact_key: str
    left_at: int


@dataclass(frozen=True)
class KnownOptOut:
    """An opt-out on record; `asked_at` is when the person was last asked to come back. Both are epoch ms."""

    left_at: int
    asked_at: int | None


@dataclass(frozen=True)
class Refresh:
    """How far the vendor's list was read; times are epoch ms.

    The table knows everybody who had left by `refreshed_at`, 0 before the first round has ended. `doubts`
    counts the times that something was put back which may be older than an opt-out; a round settles those
    that were there when it began. `page` is the link to go on with in the round that `began_at`.
    Nobody else reads before `lease_until`, nor anybody before `try_at`. On `day` (UTC) `pages` were read.
    """

    refreshed_at: int
    doubts: int
    settled: int
    began_at: int | None
    page: str | None
    lease_until: int
    try_at: int
    failures: int
    day: str
    pages: int


@dataclass(frozen=True)
class Outlook:
    """What decides whether to read the list before the next claim.

    `next_received_at` (epoch ms) is that of the delivery that is probably next, None when none is due. On
    `day` (UTC), that of the last call, `used` calls were made; `failing`: the last one failed.
    """

    refresh: Refresh
    next_received_at: int | None
    day: str
    used: int
    failing: bool


@dataclass(frozen=True)
class Standing:
    """How fresh the table is, how many calls `day` (UTC) took, and what is known of one contact.

    `leaves_at` (epoch ms) is when it was asked here to unsubscribe the contact, until that is done.
    """

    refresh: Refresh
    day: str
    used: int
    opt_out: KnownOptOut | None
    leaves_at: int | None


_ROW = opt_out_refresh.c.name == "default"
_STATE = tuple(
    opt_out_refresh.c[name]
    for name in (
        *("refreshed_at", "doubts", "settled", "began_at", "page"),
        *("lease_until", "try_at", "failures", "day", "pages"),
    )
)
_WITH_BUDGET = opt_out_refresh.join(budget, budget.c.name == opt_out_refresh.c.name)
NEXT = (
    select(deliveries.c.received_at)
    .where(UNFINISHED, deliveries.c.due_at <= bindparam("now"))
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(1)
)
OUTLOOK = (
    select(
        *_STATE,
        budget.c.day.label("call_day"),
        budget.c.used,
        budget.c.failures.label("calls_failed"),
        NEXT.scalar_subquery().label("next_received_at"),
    )
    .select_from(_WITH_BUDGET)
    .where(_ROW)
)
_LEAVE_OF_CONTACT = (deliveries.c.contact_key == bindparam("contact_key"), deliveries.c.kind == LEAVE)
_LEAVES_AT = select(func.max(deliveries.c.received_at)).where(UNFINISHED, *_LEAVE_OF_CONTACT)
_REFUSED_AT = select(func.max(deliveries.c.received_at)).where(REFUSED_REQUEST, *_LEAVE_OF_CONTACT)
STANDING = (
    select(
        *_STATE,
        budget.c.day.label("call_day"),
        budget.c.used,
        opt_outs.c.left_at,
        opt_outs.c.asked_at,
        _LEAVES_AT.scalar_subquery().label("leaves_at"),
        _REFUSED_AT.scalar_subquery().label("refused_at"),
    )
    .select_from(_WITH_BUDGET.outerjoin(opt_outs, opt_outs.c.contact_hash == bindparam("contact")))
    .where(_ROW)
)
_DOUBT = update(opt_out_refresh).where(_ROW).values(doubts=opt_out_refresh.c.doubts + 1)
_BEGIN = (
    update(opt_out_refresh)
    .where(_ROW)
    # A lease that ends later than any can was given by a clock that has been set back since.
    .where(
        or_(
            opt_out_refresh.c.lease_until <= bindparam("now"),
            opt_out_refresh.c.lease_until > bindparam("until"),
        )
    )
    .values(
        lease_until=bindparam("until"),
        began_at=func.coalesce(opt_out_refresh.c.began_at, bindparam("now")),
        began_with=func.coalesce(opt_out_refresh.c.began_with, opt_out_refresh.c.doubts),
    )
    .returning(*_STATE)
)
_KEEP = text(
    "INSERT INTO opt_outs (contact_hash, left_at) VALUES (:contact, :left_at)"
    " ON CONFLICT (contact_hash) DO UPDATE SET left_at = excluded.left_at"
)
_ASKED = text(
    "INSERT INTO opt_outs (contact_hash, left_at, asked_at) VALUES (:contact, :left_at, :asked_at)"
    " ON CONFLICT (contact_hash) DO UPDATE SET left_at = excluded.left_at, asked_at = excluded.asked_at"
)
_FORGET = delete(opt_outs).where(opt_outs.c.contact_hash == bindparam("contact"))
_PAGE_READ = {
    "failures": 0,
    "day": bindparam("today"),
    "pages": case(
        (opt_out_refresh.c.day == bindparam("today"), opt_out_refresh.c.pages + 1),
        else_=1,
    ),
}
_GO_ON = update(opt_out_refresh).where(_ROW).values(page=bindparam("following"), **_PAGE_READ)
_ROUND_ENDED = (
    update(opt_out_refresh)
    .where(_ROW)
    .values(
        refreshed_at=func.coalesce(opt_out_refresh.c.began_at, opt_out_refresh.c.refreshed_at),
        settled=func.coalesce(opt_out_refresh.c.began_with, opt_out_refresh.c.settled),
        began_at=null(),
        began_with=null(),
        page=null(),
        lease_until=0,
        **_PAGE_READ,
    )
)
_PAUSE = update(opt_out_refresh).where(_ROW).values(lease_until=0, try_at=bindparam("again_at"))
_FAILED = _PAUSE.values(failures=opt_out_refresh.c.failures + 1)
_ROUND_LOST = _FAILED.values(began_at=null(), began_with=null(), page=null())


def doubt(connection: Connection) -> None:
    """Record in this transaction that a delivery may be due again which is older than an opt-out."""
    connection.execute(_DOUBT)


def note_left(connection: Connection, contact_key: str, left_at: int) -> int | None:
    """Record in this transaction when a contact leaves; return when it left before (both epoch ms)."""
    contact = _hash(contact_key)
    before = connection.scalar(select(opt_outs.c.left_at).where(opt_outs.c.contact_hash == contact))
    connection.execute(_KEEP, {"contact": contact, "left_at": left_at})
    return before


class OptOuts:
    """The table of opt-outs, and the row that says how fresh it is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def outlook(self, now: int) -> Outlook:
        """Return what decides whether to read the list before a claim at `now` (epoch ms)."""
        with self._database.reading() as connection:
            row = connection.execute(OUTLOOK, {"now": now}).one()
        return Outlook(_refresh(row), row.next_received_at, row.call_day, row.used, row.calls_failed > 0)

    def standing(self, contact_key: str) -> Standing:
        """Return what is known of this contact, and how fresh the table is."""
        with self._database.reading() as connection:
            values = {"contact": _hash(contact_key), "contact_key": contact_key}
            row = connection.execute(STANDING, values).one()
        known = None if row.left_at is None else KnownOptOut(row.left_at, row.asked_at)
        leaves_at = max((at for at in (row.leaves_at, row.refused_at) if at is not None), default=None)
        return Standing(_refresh(row), row.call_day, row.used, known, leaves_at)

    def doubt(self) -> None:
        """Record that the table is too old for what waits: the vendor could not be reached for a while."""
        with self._database.transaction() as connection:
            doubt(connection)

    def begin(self, now: int, *, lease_ms: int) -> Refresh | None:
        """Take the lease for reading at `now` (epoch ms), and begin a round unless one is under way.

        Returns:
            How far the list was read; None when another process is reading.
        """
        with self._database.transaction() as connection:
            row = connection.execute(_BEGIN, {"now": now, "until": now + lease_ms}).one_or_none()
        return None if row is None else _refresh(row)

    def keep(self, found: Sequence[OptedOut], *, following: str | None, day: str) -> None:
        """Keep one page, read on `day` (UTC); `following` links to the next one.

        None ends the round, and gives the lease back.
        """
        rows = [{"contact": _hash(entry.contact_key), "left_at": entry.left_at} for entry in found]
        with self._database.transaction() as connection:
            if rows:
                connection.execute(_KEEP, rows)
            if following is None:
                connection.execute(_ROUND_ENDED, {"today": day})
            else:
                connection.execute(_GO_ON, {"today": day, "following": following})

    def pause(self, again_at: int) -> None:
        """Give the lease back; nobody reads before `again_at` (epoch ms)."""
        with self._database.transaction() as connection:
            connection.execute(_PAUSE, {"again_at": again_at})

    def failed(self, again_at: int, *, lost: bool) -> None:
        """The same after a failure; `lost`: the round cannot go on and has to begin anew."""
        with self._database.transaction() as connection:
            connection.execute(_ROUND_LOST if lost else _FAILED, {"again_at": again_at})

    def forget(self, contact_key: str) -> None:
        """Remove this contact, who has come back."""
        with self._database.transaction() as connection:
            connection.execute(_FORGET, {"contact": _hash(contact_key)})

    def left(self, contact_key: str, *, left_at: int) -> None:
        """Record that this contact was unsubscribed from here at `left_at` (epoch ms)."""
        with self._database.transaction() as connection:
            note_left(connection, contact_key, left_at)

    def asked(self, contact_key: str, *, left_at: int, now: int) -> None:
        """Record that the vendor asks this contact, who left at `left_at`, to come back; both epoch ms."""
        values = {"contact": _hash(contact_key), "left_at": left_at, "asked_at": now}
        with self._database.transaction() as connection:
            connection.execute(_ASKED, values)


def _hash(contact_key: str) -> str:
    return hashlib.sha256(contact_key.encode()).hexdigest()


def _refresh(row: Any) -> Refresh:
    return Refresh(*(getattr(row, column.name) for column in _STATE))
