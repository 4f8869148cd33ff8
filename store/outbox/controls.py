"""Choose a control after refusals: a delivery that shares as few traits as possible with the refused."""

import random
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, func, select

from store.outbox.claims import CLAIM_THIS, FRESH_MS, NEWCOMER, Lanes
from store.outbox.put_aside import BY_PERSON, NEWEST, OLDEST, with_traits
from store.quota.causes import Causes
from store.quota.refusals import Refusals
from store.quota.state import LockedQuota
from store.schema.outbox import UNFINISHED, deliveries

NEWCOMER_EVERY_MS = 15_000
_LOOKED_AT = 60
_TRIES = 10

OLDEST_RECEIVED = select(func.min(deliveries.c.received_at)).where(UNFINISHED)
ANYWHERE = NEWEST.order_by(None).order_by(deliveries.c.received_at, deliveries.c.due_at, deliveries.c.id)


def take(
    connection: Connection, quota: LockedQuota, refusals: Refusals, causes: Causes, lease_ms: int
) -> Row[Any] | None:
    """Mark a delivery that is unlike the refused ones as `sending`; None where no other can be taken.

    Where all share as much, the newest is taken: the fault may be in the oldest rows alone.
    """
    now = quota.now
    since = 0 if Lanes.of(quota).backlog else now - FRESH_MS
    refused = {each.delivery_id for each in refusals.refused}
    ranked = [
        ((row.id in refused, refusals.shared(traits)), row)
        for row, traits in with_traits(connection, _looked_at(connection, now, since), now)
        if row.cause == BY_PERSON or causes.of(traits) is None
    ]
    ranked.sort(key=itemgetter(0))
    for _, row in ranked[:_TRIES]:
        values = {"this": row.id, "now": now, "lease_until": now + lease_ms}
        taken = connection.execute(CLAIM_THIS[connection.dialect.name], values).one_or_none()
        if taken is not None:
            return taken
    return None


def _looked_at(connection: Connection, now: int, since: int) -> list[Row[Any]]:
    """Return some of the newest, some from a random place and some of the oldest of a long backlog."""
    begins = connection.scalar(OLDEST_RECEIVED)
    if begins is None:
        return []
    somewhere = random.randint(min(begins, now), now)  # noqa: S311 - guards nothing
    looks = (
        (NEWEST, {"since": since}),
        (ANYWHERE, {"since": max(since, somewhere)}),
        (OLDEST, {"now": now}),
    )
    found: dict[int, Row[Any]] = {}
    for query, values in looks:
        rows: list[Row[Any]] = list(connection.execute(query, {**values, "at_most": _LOOKED_AT}))
        for row in rows:
            if row.state == "ready" and row.due_at <= now and row.received_at > since:
                found.setdefault(row.id, row)
    return list(found.values())


def newcomer(connection: Connection, quota: LockedQuota, since: int, lease_ms: int) -> Row[Any] | None:
    """Mark a delivery as `sending` that was received after `since` (epoch ms) and was never tried."""
    values = {"since": since, "now": quota.now, "lease_until": quota.now + lease_ms}
    return connection.execute(NEWCOMER[connection.dialect.name], values).one_or_none()
