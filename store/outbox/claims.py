"""Choose the next delivery: the oldest due one, at times a fresh one before a long backlog."""

import itertools
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Row, TextClause, bindparam, func, select, text, update

from store.quota.state import LockedQuota
from store.schema.outbox import UNFINISHED, deliveries

DELIVERIES_PER_DAY = 9_900  # the rest is for lists, account checks and admins
BACKLOG_PER_DAY = 8_000  # the rest is for people who sign up today
FRESH_MS = 3_600_000
FRESH_LANE_EVERY = 4
MAY_CARRY = 50
LEASE_MS = 60_000
_AHEAD_OF_CLOCK_MS = 60_000

log = structlog.get_logger(__name__)

# A row whose lease ran out (it is `sending` and due) goes first: were it to wait for an older row of the
# contact, stored meanwhile from the spool, each would wait for the other. `due_at` is set in both states.
_CLAIM = """
UPDATE deliveries SET state = 'sending', due_at = :lease_until, fence = fence + 1, attempts = attempts + 1
WHERE id = (
    SELECT mine.id FROM deliveries AS mine
    WHERE mine.state IN ('ready', 'sending') AND {due}
    AND (mine.state = 'sending' OR NOT EXISTS (
        SELECT 1 FROM deliveries AS other
        WHERE other.state IN ('ready', 'sending') AND other.contact_key = mine.contact_key
        AND (other.id < mine.id OR other.state = 'sending')
    ))
    ORDER BY {order} LIMIT 1 {lock}
)
RETURNING id, source, source_id, kind, contact_key, payload, received_at, attempts, fence, alone, cause,
    (SELECT form_id FROM signups WHERE signups.id = deliveries.source_id) AS form_id
"""


def _claim(due: str, order: str) -> dict[str, TextClause]:
    return {
        "sqlite": text(_CLAIM.format(due=due, order=order, lock="")),
        # Without the lock, a row that a late sender is just finishing would be set back to sending.
        "postgresql": text(_CLAIM.format(due=due, order=order, lock="FOR UPDATE OF mine SKIP LOCKED")),
    }


CLAIM = _claim("mine.due_at <= :now", "mine.due_at, mine.id")
# The sum (+ 0) keeps the planners off the index of due rows, in which a backlog of days comes first.
CLAIM_FRESH = _claim("mine.received_at > :since AND mine.due_at + 0 <= :now", "mine.received_at")
CLAIM_THIS = _claim("mine.id = :this AND mine.due_at + 0 <= :now", "mine.id")
NEWCOMER = _claim(
    "mine.received_at > :since AND mine.attempts = 0 AND mine.due_at + 0 <= :now", "mine.received_at DESC"
)
TAKEN = text(
    "SELECT id, source, source_id, kind, contact_key, payload, received_at, attempts, fence, alone, cause,"
    " (SELECT form_id FROM signups WHERE signups.id = deliveries.source_id) AS form_id"
    " FROM deliveries WHERE id = :this"
)
YOUNGER = (
    select(
        deliveries.c.id,
        deliveries.c.source_id,
        deliveries.c.payload,
        deliveries.c.received_at,
        deliveries.c.kind,
        deliveries.c.state,
        deliveries.c.alone,
    )
    .where(
        UNFINISHED, deliveries.c.contact_key == bindparam("contact"), deliveries.c.id > bindparam("leader")
    )
    .order_by(deliveries.c.id)
    .limit(MAY_CARRY)
)
NEXT_DUE = select(
    select(deliveries.c.due_at)
    .where(UNFINISHED, deliveries.c.due_at > bindparam("now"))
    .order_by(deliveries.c.due_at)
    .limit(1)
    .scalar_subquery()
    .label("due_at"),
    select(deliveries.c.received_at)
    .where(UNFINISHED)
    .order_by(deliveries.c.received_at.desc())
    .limit(1)
    .scalar_subquery()
    .label("newest"),
)
NEXT_FRESH = select(func.min(deliveries.c.due_at + 0)).where(
    UNFINISHED, deliveries.c.received_at > bindparam("since"), deliveries.c.due_at + 0 > bindparam("now")
)
# Ordered, or PostgreSQL would look for one by a scan of the table, whose beginning is finished rows.
ANY_WAITING = select(deliveries.c.id).where(UNFINISHED).order_by(deliveries.c.received_at).limit(1)
_DUE_NOW = (
    update(deliveries)
    .where(
        UNFINISHED, deliveries.c.due_at > bindparam("latest"), deliveries.c.received_at > bindparam("latest")
    )
    .where(deliveries.c.state == "ready")
    .values(due_at=bindparam("now"))
)


@dataclass(frozen=True)
class Lanes:
    """In which order the next reserved call looks for a row: fresh rows (FRESH_MS), the oldest due one."""

    fresh_first: bool
    backlog: bool

    @classmethod
    def of(cls, quota: LockedQuota) -> "Lanes":
        """Return the lanes for the call that `quota` would reserve."""
        used = quota.state.used
        return cls(
            fresh_first=used % FRESH_LANE_EVERY == FRESH_LANE_EVERY - 1 or used >= BACKLOG_PER_DAY,
            backlog=used < BACKLOG_PER_DAY,
        )


def take(connection: Connection, quota: LockedQuota, lease_ms: int) -> Row[Any] | None:
    """Mark the next delivery as `sending` and return it; None when none may be sent now."""
    lanes = Lanes.of(quota)
    values = {"now": quota.now, "lease_until": quota.now + lease_ms}
    dialect = connection.dialect.name
    if lanes.fresh_first:
        fresh = values | {"since": quota.now - FRESH_MS}
        row = connection.execute(CLAIM_FRESH[dialect], fresh).one_or_none()
        if row is not None:
            return row
    return connection.execute(CLAIM[dialect], values).one_or_none() if lanes.backlog else None


def younger(connection: Connection, leader: Row[Any]) -> list[Row[Any]]:
    """Return the rows that the call for `leader` may carry besides, oldest first.

    They end before the first that may not be carried, since no later one must overtake it.
    """
    if leader.alone:
        return []
    rows: Any = connection.execute(YOUNGER, {"contact": leader.contact_key, "leader": leader.id}).all()
    return list(
        itertools.takewhile(
            lambda row: row.state == "ready" and row.kind == leader.kind and not row.alone, rows
        )
    )


def next_due(connection: Connection, quota: LockedQuota) -> int | None:
    """Return when (epoch ms) to look again after `take` found nothing; None when nothing waits at all."""
    now = quota.now
    if not Lanes.of(quota).backlog:
        if connection.scalar(ANY_WAITING) is None:
            return None
        fresh = connection.scalar(NEXT_FRESH, {"now": now, "since": now - FRESH_MS})
        return min(fresh or quota.day_ends_at(), quota.day_ends_at())
    due_at, newest = connection.execute(NEXT_DUE, {"now": now}).one()
    if newest is not None and newest > now + _AHEAD_OF_CLOCK_MS and _clock_went_back(connection, now):
        return now
    return None if due_at is None else int(due_at)


def _clock_went_back(connection: Connection, now: int) -> bool:
    """Make due what a clock that was ahead has stored for the future; return whether there was any."""
    changed = connection.execute(_DUE_NOW, {"now": now, "latest": now + _AHEAD_OF_CLOCK_MS}).rowcount
    if changed:
        log.warning("clock_went_back", signups=changed)
    return bool(changed)
