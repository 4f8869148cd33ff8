"""Read sign-ups with their deliveries and calls, for admins; nothing here changes anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Row, Select, bindparam, select, tuple_

from store.engine.database import Database
from store.engine.documents import read
from store.schema.forms import forms
from store.schema.outbox import PARKED, UNFINISHED, attempts, deliveries
from store.schema.signups import SIGNUP, signups
from store.signups.accept import SentByPage


@dataclass(frozen=True)
class SignupRecord(SentByPage):
    """A sign-up, the evidence of consent, and its delivery; times are epoch ms.

    `form` is the short name of the form it came by, `consent` the wording, `consent_version` its number among
    that form's. `due_at` is None once it is finished; while it is sending it is the end of the lease.
    """

    id: str
    received_at: int
    email: str
    person: Mapping[str, str]
    list_ids: tuple[str, ...]
    source: str | None
    consent: str | None
    page: str | None
    network_address: str | None
    user_agent: str | None
    asked_by: str
    form: str | None
    consent_version: int | None
    delivery_id: int
    state: str
    attempts: int
    last_error: str | None
    due_at: int | None
    finished_at: int | None
    action: str | None
    contact_id: str | None
    merged_into: int | None
    sms: Mapping[str, Any] | None = None
    custom_fields: Mapping[str, str | list[str]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    # What a person should know of how it ended: a list that was left out, why it was dropped.
    note: str | None = None
    # The vendor's own sentence behind the last error.
    vendor_said: str | None = None
    # What was sent for the consent, shortened; empty for sign-ups of earlier releases.
    consent_sent: str | None = None


@dataclass(frozen=True)
class CallRecord:
    """One call; times are epoch ms. Without an end its outcome is not known, or not yet.

    `carried` are the ids of the deliveries that it took along, besides its own. `vendor_said` is the vendor's
    own sentence where it refused.
    """

    delivery_id: int
    started_at: int
    ended_at: int | None
    outcome: str | None
    carried: tuple[int, ...]
    vendor_said: str | None = None


@dataclass(frozen=True)
class SignupFilter:
    """Which sign-ups are meant; None is no condition. `contact_key` is the address as it is stored."""

    state: str | None = None
    contact_key: str | None = None
    since: int | None = None


_OF_SIGNUP = (
    *("id", "received_at", "email", "person", "list_ids", "source"),
    *("consent", "consent_version", "page", "network_address", "user_agent", "asked_by"),
    *("consent_sent", *(each.name for each in fields(SentByPage))),
    *("sms", "custom_fields", "tags"),
)
_OF_DELIVERY = (
    *("state", "attempts", "last_error", "due_at"),
    *("finished_at", "action", "contact_id", "merged_into", "note", "vendor_said"),
)
_RECORD = select(
    *(signups.c[name] for name in _OF_SIGNUP),
    forms.c.slug.label("form"),
    deliveries.c.id.label("delivery_id"),
    *(deliveries.c[name] for name in _OF_DELIVERY),
).select_from(
    signups.join(deliveries, deliveries.c.source_id == signups.c.id).outerjoin(
        forms, forms.c.id == signups.c.form_id
    )
)
_FIND = _RECORD.where(signups.c.id == bindparam("signup"))
_ID_OF_DELIVERY = select(deliveries.c.source_id).where(deliveries.c.id == bindparam("delivery"))
_ATTEMPTS = (
    select(*(attempts.c[column.name] for column in fields(CallRecord)))
    .where(attempts.c.delivery_id.in_(bindparam("deliveries", expanding=True)))
    .order_by(attempts.c.started_at, attempts.c.id)
)
_OF_A_FEW = {"ready": UNFINISHED, "sending": UNFINISHED, "parked": PARKED}
PARKED_IDS = (
    select(deliveries.c.id, deliveries.c.source_id)
    .where(PARKED, deliveries.c.source == SIGNUP, deliveries.c.id > bindparam("after"))
    .order_by(deliveries.c.id)
    .limit(bindparam("at_most"))
)


def newest(sought: SignupFilter, limit: int) -> Select[Any]:
    """Return the query for the sign-ups sought, newest first."""
    return _where(sought).order_by(signups.c.received_at.desc(), signups.c.id.desc()).limit(limit)


def next_page(sought: SignupFilter, after: tuple[int, str], limit: int) -> Select[Any]:
    """Return the query for the sign-ups sought that come behind `after` (time and id), oldest first."""
    place = tuple_(signups.c.received_at, signups.c.id)
    return _where(sought).where(place > after).order_by(*place).limit(limit)


def _where(sought: SignupFilter) -> Select[Any]:
    wanted = _RECORD
    if sought.state in _OF_A_FEW:
        wanted = wanted.where(_OF_A_FEW[sought.state], deliveries.c.state == sought.state)
    elif sought.state is not None:
        # SQLite believes that few rows equal a column's value, and would read and sort all delivered ones.
        wanted = wanted.where(deliveries.c.state.concat("") == sought.state)
    if sought.contact_key is not None:
        wanted = wanted.where(signups.c.contact_key == sought.contact_key)
    if sought.since is not None:
        wanted = wanted.where(signups.c.received_at >= sought.since)
    return wanted


class SignupRecords:
    """Reads sign-ups as records, many of them page by page, since a long read would block writers."""

    def __init__(self, database: Database, *, page: int = 500) -> None:
        self._database = database
        self._page = page

    def find(self, signup_id: str) -> SignupRecord | None:
        """Return the record of that id, None where there is none."""
        with self._database.reading() as connection:
            row = connection.execute(_FIND, {"signup": signup_id}).one_or_none()
        return None if row is None else _record(row)

    def newest(self, sought: SignupFilter, limit: int) -> list[SignupRecord]:
        """Return the newest `limit` of the sign-ups sought."""
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(newest(sought, limit))]

    def all(self, sought: SignupFilter) -> Iterator[SignupRecord]:
        """Yield all sign-ups sought, oldest first; those received meanwhile included."""
        after = (-1, "")
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(next_page(sought, after, self._page)).all()
            yield from map(_record, rows)
            if len(rows) < self._page:
                return
            after = (rows[-1].received_at, rows[-1].id)

    def attempts_for(self, record: SignupRecord) -> list[CallRecord]:
        """Return the calls that were for this sign-up, its own and those that carried it, oldest first."""
        own, carrier = record.delivery_id, record.merged_into
        with self._database.reading() as connection:
            rows = connection.execute(_ATTEMPTS, {"deliveries": [own, *([carrier] if carrier else [])]}).all()
        found = [CallRecord(**{**row._mapping, "carried": tuple(read(row.carried))}) for row in rows]
        return [attempt for attempt in found if attempt.delivery_id == own or own in attempt.carried]

    def signup_of(self, delivery_id: int) -> str | None:
        """Return the id of the sign-up that a delivery is for."""
        with self._database.reading() as connection:
            found: str | None = connection.scalar(_ID_OF_DELIVERY, {"delivery": delivery_id})
        return found

    def parked_ids(self) -> Iterator[str]:
        """Yield the ids of the parked sign-ups, oldest first; each once, whatever happens meanwhile."""
        after = 0
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(PARKED_IDS, {"after": after, "at_most": self._page}).all()
            yield from (row.source_id for row in rows)
            if len(rows) < self._page:
                return
            after = rows[-1].id


def _record(row: Row[*tuple[Any, ...]]) -> SignupRecord:
    columns = dict(row._mapping)
    return SignupRecord(
        person=read(columns.pop("person")),
        list_ids=tuple(read(columns.pop("list_ids"))),
        sms=read(columns.pop("sms") or "null"),
        custom_fields=read(columns.pop("custom_fields") or "{}"),
        tags=tuple(read(columns.pop("tags") or "[]")),
        **columns,
    )
