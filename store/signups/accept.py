"""Accept sign-ups: store each with its delivery in one transaction, several transactions in one commit."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, bindparam, select

from store.engine.database import Database
from store.engine.documents import read, written
from store.engine.group_commit import GroupCommit
from store.errors import OverLimit, SpoolFirst, StoreError
from store.outbox import payloads
from store.schema.outbox import deliveries
from store.schema.signups import signups, suspected_signups
from store.signups import idempotency
from store.signups.batch import NOTHING_FOUND, Arrival, Arrivals, Judgement, copy_of
from store.signups.idempotency import FirstUse, IdempotencyKey
from store.signups.rate_limits import Floods
from store.signups.suspected_room import CEILING, Room, SuspectedCeiling

_DOCUMENTS = ("person", "list_ids", "sms", "custom_fields", "tags")


@dataclass(frozen=True, kw_only=True)
class SentByPage:
    """What a form's page sends unseen, each in a column of its own."""

    referrer: str | None = None


@dataclass(frozen=True)
class NewSignup(SentByPage):
    """A sign-up as received, with the evidence of consent; `received_at` is epoch ms, `id` unguessable."""

    id: str
    received_at: int
    contact_key: str
    email: str
    person: Mapping[str, str]
    list_ids: tuple[str, ...]
    source: str | None
    consent: str | None
    page: str | None
    network_address: str | None
    user_agent: str | None
    asked_by: str
    form_id: int | None = None
    consent_version: int | None = None
    sms: Mapping[str, object] | None = None
    custom_fields: Mapping[str, str | Sequence[str]] | None = None
    tags: Sequence[str] | None = None
    consent_sent: str | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "NewSignup":
        """Return the sign-up whose columns are `row`. Raises ValueError: a document in it cannot be read."""
        documents = {name: read(row.get(name) or "null") for name in _DOCUMENTS}
        list_ids = tuple(documents.pop("list_ids"))
        columns = {each.name: row.get(each.name) for each in fields(cls)}
        return cls(**columns | documents | {"list_ids": list_ids})


@dataclass(frozen=True)
class SignupStatus:
    """How far a sign-up got, without personal data; `due_at` (epoch ms) is None once it is finished."""

    id: str
    received_at: int
    state: str
    action: str | None
    attempts: int
    last_error: str | None
    due_at: int | None
    contact_id: str | None


_BOTH = signups.join(deliveries, deliveries.c.source_id == signups.c.id)
_PROGRESS = (
    deliveries.c.state,
    deliveries.c.action,
    deliveries.c.attempts,
    deliveries.c.last_error,
    deliveries.c.due_at,
)
_FIND = (
    select(signups.c.id, signups.c.received_at, *_PROGRESS, deliveries.c.contact_id)
    .select_from(_BOTH)
    .where(signups.c.id == bindparam("signup_id"))
)


Rows = tuple[dict[str, object], dict[str, object]]


def rows_of(signup: NewSignup, kind: str, payload: Mapping[str, object], due_at: int | None = None) -> Rows:
    """Return the rows of a sign-up and of its delivery, which is due at once or at `due_at` (epoch ms)."""
    said = vars(signup)
    row = said | {
        "person": written(dict(signup.person)),
        "list_ids": written(signup.list_ids),
        "sms": written(dict(signup.sms)) if signup.sms else None,
        "custom_fields": written(dict(signup.custom_fields)) if signup.custom_fields else None,
        "tags": written(list(signup.tags)) if signup.tags else None,
    }
    delivery: dict[str, object] = {
        "source_id": signup.id,
        "received_at": signup.received_at,
        "due_at": signup.received_at if due_at is None else due_at,
        "contact_key": signup.contact_key,
        "kind": kind,
        "payload": payloads.compact(payload, said),
        "state": "ready",
        "fence": 0,
        "attempts": 0,
    }
    return row, delivery


class Signups:
    """Stores sign-ups, and returns the status of each."""

    def __init__(
        self,
        database: Database,
        *,
        spooled: Callable[[], bool] = lambda: False,
        ceiling: SuspectedCeiling = CEILING,
    ) -> None:
        """`spooled` tells whether older sign-ups wait in the spool; they must be stored first.

        `ceiling` limits how many of the suspected ones are kept.
        """
        self._database = database
        self._spooled = spooled
        self._arrivals = Arrivals(Room(ceiling, ample=database.has_ample_room))
        self._floods = Floods()
        self._together = GroupCommit(database, self._insert, committed=self._copy, find_committed=self._held)

    def accept(
        self,
        signup: NewSignup,
        *,
        kind: str,
        payload: Mapping[str, object],
        key: IdempotencyKey | None = None,
        judgement: Judgement = NOTHING_FOUND,
    ) -> tuple[str, ...]:
        """Store a sign-up and its delivery in one transaction: on return both are on disk.

        Args:
            signup: what was submitted.
            kind: the kind of its delivery.
            payload: that of its delivery.
            key: taken for this sign-up in the same transaction.
            judgement: what the spam checks say of it; its limits are counted in the same transaction.

        Returns:
            The rules for which it is kept apart, without a delivery, among the suspected ones: those broken,
            those of the limits that it is over, that of `once`. Empty for a sign-up like any other. Beyond
            the ceiling of suspected ones it is counted and not kept.

        Raises:
            OverLimit: it is one of a flood; it was not stored.
            KeyTaken: another sign-up has the key; nothing was stored.
            SpoolFirst: what waits in the spool must be imported first; nothing was stored.
            StoreUnavailable: nothing is known to be stored.
        """
        rows = rows_of(signup, kind, payload, judgement.due_at)
        limits, once, broken = judgement.limits, judgement.once, judgement.broken
        arrival = Arrival(*rows, key, limits, once, broken, rank=judgement.rank)
        arrival.flood = self._floods.met(limits, now=signup.received_at)
        if not arrival.flood:
            self._together.write(arrival)
        if arrival.flood:
            now = signup.received_at
            self._floods.note(arrival.flood, now=now)
            until = max(flood.until for flood in arrival.flood)
            raise OverLimit(
                tuple(flood.rule for flood in arrival.flood), retry_after=(until - now) // 1000 + 1
            )
        return arrival.reasons

    def _insert(self, connection: Connection, batch: Sequence[Arrival]) -> None:
        # One look for all that commit together, under the write lock: nothing is stored in between.
        if self._spooled():
            raise SpoolFirst("older sign-ups are still in the spool")
        self._arrivals.store(connection, batch)

    def _copy(self, stored: Sequence[Arrival]) -> None:
        self._database.copies.write(copy_of(arrival) for arrival in stored if arrival.stored)

    def _held(self, batch: Sequence[Arrival]) -> list[bool]:
        found = set[str]()
        with suppress(StoreError), self._database.reading() as connection:
            for table, apart in ((signups, False), (suspected_signups, True)):
                ids = [arrival.signup["id"] for arrival in batch if bool(arrival.reasons) is apart]
                found |= set(connection.scalars(select(table.c.id).where(table.c.id.in_(ids))))
        # One that is not to be stored has no row to look for.
        return [not arrival.stored or arrival.signup["id"] in found for arrival in batch]

    def first_with(self, key_hash: str, *, now: int) -> FirstUse | None:
        """Return the sign-up that has the key at `now` (epoch ms), None when none has it (any more)."""
        with self._database.reading() as connection:
            return idempotency.first_use(connection, key_hash, now)

    def find(self, signup_id: str) -> SignupStatus | None:
        """Return the status of one sign-up, None for an unknown id."""
        with self._database.reading() as connection:
            row = connection.execute(_FIND, {"signup_id": signup_id}).one_or_none()
        return None if row is None else SignupStatus(**row._mapping)
