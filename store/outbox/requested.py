"""Deliveries that no sign-up asked for: stored one by one, and listed for whoever looks after them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select

from store import opt_outs
from store.engine.copies import Entry
from store.engine.database import Database
from store.engine.documents import read, written
from store.opt_outs import LEAVE
from store.schema.outbox import REFUSED_REQUEST, REQUESTED, UNFINISHED, deliveries

_INSERT = insert(deliveries).returning(deliveries.c.id)
_COLUMNS = ("source_id", "kind", "contact_key", "received_at", "state", "action", "last_error", "vendor_said")
NEWEST = (
    select(*(deliveries.c[name] for name in _COLUMNS), deliveries.c.payload)
    .where(REQUESTED)
    .order_by(deliveries.c.received_at.desc(), deliveries.c.source_id.desc())
    .limit(bindparam("at_most"))
)
_SAME = (deliveries.c.contact_key == bindparam("contact"), deliveries.c.kind == bindparam("which"))
WAITING = select(deliveries.c.source_id, deliveries.c.state).where(UNFINISHED, *_SAME).limit(1)
REFUSED = select(deliveries.c.source_id, deliveries.c.state).where(REFUSED_REQUEST, *_SAME).limit(1)


@dataclass(frozen=True)
class NewRequest:
    """A change to one contact, asked for at `received_at` (epoch ms) by `source`, whose `id` it has."""

    id: str
    source: str
    kind: str
    contact_key: str
    payload: Mapping[str, Any]
    received_at: int


@dataclass(frozen=True)
class Requested:
    """Where a delivery stands that no sign-up asked for; `received_at` is epoch ms."""

    id: str
    kind: str
    contact_key: str
    payload: Mapping[str, Any]
    received_at: int
    state: str
    action: str | None
    last_error: str | None
    vendor_said: str | None


@dataclass(frozen=True)
class Added:
    """The delivery for a request: a new one, or where `state` is not None one that was not done yet.

    `left_at` (epoch ms) is when the contact had left before, as far as the table of opt-outs knows.
    """

    id: str
    state: str | None = None
    left_at: int | None = None


class RequestedDeliveries:
    """The part of the outbox that no sign-up asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, request: NewRequest) -> Added:
        """Store a delivery, due at once: on return it is on disk. One not done yet of the same is enough.

        Of who leaves, the table of opt-outs knows in the same transaction, so that no older sign-up is sent.

        Raises:
            StoreError: nothing is known to be stored.
        """
        row = {
            "source": request.source,
            "source_id": request.id,
            "received_at": request.received_at,
            "contact_key": request.contact_key,
            "kind": request.kind,
            "payload": written(dict(request.payload)),
            "state": "ready",
            "due_at": request.received_at,
            "fence": 0,
            "attempts": 0,
        }
        copied = list[Entry]()
        with self._database.transaction(committed=lambda: self._database.copies.write(copied)) as connection:
            same = {"contact": request.contact_key, "which": request.kind}
            for sought in (WAITING, REFUSED):
                if found := connection.execute(sought, same).one_or_none():
                    return Added(found.source_id, found.state)
            delivery_id = connection.execute(_INSERT, row).scalar_one()
            copied.append(
                Entry(request.id, request.received_at, rows={"deliveries": row | {"id": delivery_id}})
            )
            if request.kind != LEAVE:
                return Added(request.id)
            left_at = opt_outs.note_left(connection, request.contact_key, request.received_at)
        return Added(request.id, left_at=left_at)

    def newest(self, limit: int) -> list[Requested]:
        """Return the newest, newest first; of those that ended long ago the payload is empty."""
        with self._database.reading() as connection:
            rows = connection.execute(NEWEST, {"at_most": limit}).all()
        return [
            Requested(
                id=row.source_id,
                payload=read(row.payload),
                **{name: getattr(row, name) for name in _COLUMNS if name != "source_id"},
            )
            for row in rows
        ]
