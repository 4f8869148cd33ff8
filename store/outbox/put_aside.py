"""Set aside the deliveries of a known cause, probe one of them now and then, and release them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, bindparam, select, text, update

from store import opt_outs
from store.engine.copies import Entry
from store.outbox import payloads
from store.quota.causes import Cause, Causes
from store.quota.state import LockedQuota
from store.quota.traits import traits_of
from store.schema.outbox import HAS_CAUSE, UNFINISHED, deliveries
from store.schema.signups import signups

# `cause` of a due delivery that a person sent again: it is sent although others were refused.
BY_PERSON = "person"
# Rows that a claim sets aside or releases at once: some milliseconds of work.
AT_ONCE = 300

_IDS: BindParameter[list[int]] = bindparam("ids", expanding=True)
_COLUMNS = (
    deliveries.c.id,
    deliveries.c.source_id,
    deliveries.c.kind,
    deliveries.c.payload,
    deliveries.c.received_at,
    deliveries.c.cause,
    deliveries.c.state,
    deliveries.c.due_at,
)
# The form of each row, looked up by its key, since there are few rows.
_FORM = select(signups.c.form_id).where(signups.c.id == deliveries.c.source_id).scalar_subquery()
OLDEST = (
    select(*_COLUMNS, _FORM.label("form_id"))
    .where(UNFINISHED, deliveries.c.due_at <= bindparam("now"))
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(bindparam("at_most"))
)
# Including those that are not due: leaving them out could read the whole backlog.
NEWEST = (
    select(*_COLUMNS, _FORM.label("form_id"))
    .where(UNFINISHED, deliveries.c.received_at > bindparam("since"))
    # By id too: of many received within one millisecond the last is the newest.
    .order_by(deliveries.c.received_at.desc(), deliveries.c.due_at.desc(), deliveries.c.id.desc())
    .limit(bindparam("at_most"))
)
PUT_ASIDE = (
    update(deliveries)
    .where(deliveries.c.id.in_(_IDS), deliveries.c.state.in_(("ready", "parked")))
    .values(
        state="parked",
        due_at=None,
        finished_at=bindparam("now"),
        cause=bindparam("why"),
        last_error=bindparam("error"),
    )
    .returning(deliveries.c.source_id, deliveries.c.received_at)
)
_GIVE_BACK = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("ours"))
    .values(state="ready", attempts=deliveries.c.attempts - 1)
)
RELEASED = (
    update(deliveries)
    .where(
        deliveries.c.id.in_(
            select(deliveries.c.id)
            .where(HAS_CAUSE, deliveries.c.cause == bindparam("why"))
            .order_by(deliveries.c.id)
            .limit(AT_ONCE)
        ),
        deliveries.c.state == "parked",
    )
    .values(state="ready", due_at=bindparam("now"), finished_at=None, cause=None, attempts=0, alone=False)
    .returning(deliveries.c.source_id, deliveries.c.received_at)
)
ANY_OF_CAUSE = (
    select(deliveries.c.id)
    .where(HAS_CAUSE, deliveries.c.cause == bindparam("why"))
    .order_by(deliveries.c.id)
    .limit(1)
)
_PROBE = """
UPDATE deliveries SET state = 'sending', due_at = :lease_until, fence = fence + 1, attempts = attempts + 1,
    finished_at = NULL
WHERE id = (
    SELECT mine.id FROM deliveries AS mine
    WHERE mine.state = 'parked' AND mine.cause IS NOT NULL AND mine.cause = :why AND mine.id < :before
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS other
        WHERE other.state IN ('ready', 'sending') AND other.contact_key = mine.contact_key
    )
    ORDER BY mine.id DESC LIMIT 1
) AND state = 'parked'
RETURNING id
"""
PROBE = text(_PROBE)
_BEYOND_ALL = 2**62


def with_traits(
    connection: Connection, rows: Sequence[Row[Any]], now: int
) -> list[tuple[Row[Any], frozenset[str]]]:
    """Return each delivery with its traits."""
    whole = payloads.wholes(connection, [(row.source_id, row.payload) for row in rows])
    return [
        (row, traits_of(payload, kind=row.kind, form_id=row.form_id, received_at=row.received_at, now=now))
        for row, payload in zip(rows, whole, strict=True)
    ]


def probe(connection: Connection, causes: Causes, quota: LockedQuota, lease_ms: int) -> tuple[int, Causes]:
    """Take one delivery of a cause whose probe is due; return its id, or 0 where none is.

    The newest first, and each time another: a row that failed as a probe goes behind the others.
    """
    now = quota.now
    for cause in tuple(causes):
        if cause.lifted or not cause.due(now):
            continue
        for before in (cause.before or _BEYOND_ALL, _BEYOND_ALL):
            values = {"lease_until": now + lease_ms, "why": cause.id, "before": before}
            taken = connection.execute(PROBE, values).scalar_one_or_none()
            if taken is not None:
                opt_outs.doubt(connection)
                return int(taken), causes.with_one(cause.probed(int(taken), now))
        if connection.scalar(ANY_OF_CAUSE, {"why": cause.id}) is None:
            # No delivery of that cause is left: forget it, so that the next one is sent.
            causes = causes.without(cause.id)
        else:
            # All are of contacts of which another delivery waits or is being sent.
            causes = causes.with_one(cause.probed(0, now))
    return 0, causes


def release(connection: Connection, causes: Causes, now: int, noted: list[Entry]) -> Causes:
    """Make some deliveries due whose cause is lifted; return the causes that are left."""
    change = {"state": "ready", "due_at": now, "finished_at": None, "cause": None}
    for cause in tuple(causes):
        if not cause.lifted:
            continue
        rows = connection.execute(RELEASED, {"why": cause.id, "now": now}).all()
        noted += [Entry(row.source_id, row.received_at, changes={"deliveries": change}) for row in rows]
        if rows:
            # Their contacts may have left since.
            opt_outs.doubt(connection)
        if len(rows) < AT_ONCE:
            causes = causes.without(cause.id)
        break
    return causes


def put_aside(connection: Connection, causes: Causes, taken: Row[Any], now: int, noted: list[Entry]) -> None:
    """Set aside a delivery just taken that has a known cause, and others of known causes near it."""
    connection.execute(_GIVE_BACK, {"ours": taken.id})
    look = {"now": now, "since": 0, "at_most": AT_ONCE}
    found: dict[int, Row[Any]] = {}
    for query in (OLDEST, NEWEST):
        found |= {row.id: row for row in connection.execute(query, look)}
    found[taken.id] = taken
    by_cause: dict[str, list[int]] = {}
    for row, traits in with_traits(connection, list(found.values()), now):
        if row.id != taken.id and (row.state != "ready" or row.cause == BY_PERSON):
            continue
        if cause := causes.of(traits):
            by_cause.setdefault(cause.id, []).append(row.id)
    for cause_id, ids in by_cause.items():
        set_aside(connection, causes.known[cause_id], ids, now, noted)


def set_aside(connection: Connection, cause: Cause, ids: Iterable[int], now: int, noted: list[Entry]) -> None:
    """Set aside these deliveries for that cause, except those being sent."""
    ended = {"now": now, "why": cause.id, "error": cause.sentence, "ids": list(ids)}
    change = {"state": "parked", "due_at": None, "finished_at": now, "last_error": cause.sentence}
    change["cause"] = cause.id
    for row in connection.execute(PUT_ASIDE, ended):
        noted.append(Entry(row.source_id, row.received_at, changes={"deliveries": change}))


def with_causes(quota: LockedQuota, causes: Causes) -> LockedQuota:
    """Return the quota with these causes in its state."""
    return replace(quota, state=replace(quota.state, causes=causes.dump()))
