"""The outbox: a row is one change wanted for one contact, claimed under a lease, finished by its fence."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam, func, select, text, update

from store.budget import locked_allowance
from store.database import Database
from store.schema import PARKED, UNFINISHED, deliveries


@dataclass(frozen=True)
class Claimed:
    """A delivery that is ours until its lease ends; `attempts` counts this one, `received_at` is epoch ms."""

    delivery_id: int
    signup_id: str
    kind: str
    contact_key: str
    payload: Mapping[str, Any]
    received_at: int
    attempts: int
    fence: int


@dataclass(frozen=True)
class Wait:
    """Nothing may be sent now; ask again at `until` (epoch ms), None when nothing is waiting at all."""

    until: int | None


@dataclass(frozen=True)
class Backlog:
    """What is not delivered: `pending` rows go on by themselves, `parked` ones need a person."""

    pending: int
    oldest_received_at: int | None
    parked: int


# A row that is sending already (its lease is over, or it would not be due) goes first: were it to wait for an
# older row, replayed meanwhile, each would wait for the other. `due_at` covers both states, see the schema.
_CLAIM = """
UPDATE deliveries SET state = 'sending', due_at = :lease_until, fence = fence + 1, attempts = attempts + 1
WHERE id = (
    SELECT mine.id FROM deliveries AS mine
    WHERE mine.state IN ('ready', 'sending') AND mine.due_at <= :now
    AND (mine.state = 'sending' OR NOT EXISTS (
        SELECT 1 FROM deliveries AS other
        WHERE other.state IN ('ready', 'sending') AND other.contact_key = mine.contact_key
        AND (other.id < mine.id OR other.state = 'sending')
    ))
    ORDER BY mine.due_at, mine.id LIMIT 1 {lock}
)
RETURNING id, signup_id, kind, contact_key, payload, received_at, attempts, fence
"""
CLAIM: dict[str, TextClause] = {
    "sqlite": text(_CLAIM.format(lock="")),
    # Without the lock, a row that its late owner is just finishing would be set back to sending.
    "postgresql": text(_CLAIM.format(lock="FOR UPDATE OF mine SKIP LOCKED")),
}
NEXT_DUE = (
    select(deliveries.c.due_at)
    .where(UNFINISHED, deliveries.c.due_at > bindparam("now"))
    .order_by(deliveries.c.due_at)
    .limit(1)
)
BACKLOG = select(
    select(func.count()).select_from(deliveries).where(UNFINISHED).scalar_subquery().label("pending"),
    select(func.min(deliveries.c.received_at))
    .where(UNFINISHED)
    .scalar_subquery()
    .label("oldest_received_at"),
    select(func.count()).select_from(deliveries).where(PARKED).scalar_subquery().label("parked"),
)
PENDING_UP_TO = select(func.count()).select_from(
    select(deliveries.c.id).where(UNFINISHED).limit(bindparam("at_most")).subquery()
)
_OURS = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("ours"), deliveries.c.fence == bindparam("our_fence"))
    .where(deliveries.c.state == "sending")
)
_DELIVERED = _OURS.values(
    state="delivered",
    due_at=None,
    finished_at=bindparam("now"),
    contact_id=bindparam("vendor_id"),
    action=bindparam("done"),
    last_error=None,
)
_PARKED = _OURS.values(
    state="parked", due_at=None, finished_at=bindparam("now"), last_error=bindparam("error")
)
_POSTPONED = _OURS.values(
    state="ready",
    due_at=bindparam("due"),
    last_error=bindparam("error"),
    attempts=deliveries.c.attempts - bindparam("given_back"),
)


class Deliveries:
    """The outbox. Per contact strictly oldest first and one in flight; between contacts no order."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic

    def claim(self, now: int, *, lease_ms: int = 60_000) -> Claimed | Wait:
        """Book one call and take the oldest due delivery, in one transaction.

        Args:
            now: epoch ms.
            lease_ms: how long the row is ours; after that anybody may claim it again.

        Returns:
            The delivery to send at once, or Wait, with nothing booked.
        """
        with locked_allowance(self._database, now, self._monotonic) as (connection, allowance):
            opens_at = allowance.opens_at()
            if opens_at is not None:
                return Wait(opens_at)
            claimed = _take(connection, now, now + lease_ms)
            if claimed is None:
                return Wait(connection.scalar(NEXT_DUE, {"now": now}))
            allowance.book(connection)
            return claimed

    def delivered(self, claimed: Claimed, *, now: int, contact_id: str, action: str) -> bool:
        """Finish with success; False, and nothing changed, when the lease was lost meanwhile."""
        return self._finish(_DELIVERED, claimed, now=now, vendor_id=contact_id, done=action)

    def postpone(self, claimed: Claimed, *, due_at: int, error: str, count: bool) -> bool:
        """Try again at `due_at` (epoch ms); without `count` this attempt is given back. False: lease lost."""
        return self._finish(_POSTPONED, claimed, due=due_at, error=error, given_back=0 if count else 1)

    def park(self, claimed: Claimed, *, now: int, error: str) -> bool:
        """Set aside for a person; the row stays. False, and nothing changed, when the lease was lost."""
        return self._finish(_PARKED, claimed, now=now, error=error)

    def backlog(self) -> Backlog:
        """Count what is waiting and what needs a person."""
        with self._database.reading() as connection:
            return Backlog(**connection.execute(BACKLOG).one()._mapping)

    def pending_up_to(self, limit: int) -> int:
        """Count what is waiting, but no further than `limit`: cheap however long the backlog is."""
        with self._database.reading() as connection:
            return connection.scalar(PENDING_UP_TO, {"at_most": limit}) or 0

    def _finish(self, statement: Any, claimed: Claimed, **values: object) -> bool:
        guard = {"ours": claimed.delivery_id, "our_fence": claimed.fence}
        with self._database.transaction() as connection:
            return bool(connection.execute(statement, guard | values).rowcount == 1)


def _take(connection: Connection, now: int, lease_until: int) -> Claimed | None:
    statement = CLAIM[connection.dialect.name]
    row = connection.execute(statement, {"now": now, "lease_until": lease_until}).one_or_none()
    if row is None:
        return None
    columns = dict(row._mapping)
    return Claimed(delivery_id=columns.pop("id"), payload=json.loads(columns.pop("payload")), **columns)
