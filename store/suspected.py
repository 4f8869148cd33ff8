"""Sign-ups that look like a program's: nothing is sent for them unless a person releases them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, update

from store.copies import Entry
from store.database import Database
from store.documents import read, row_read
from store.rows import insert_unknown
from store.schema import deliveries, signups, suspected_signups
from store.suspected_room import SuspectedRoom, recount, room

# A flood may have left more than anybody counts; each look at the health counts.
COUNTED_TO = 1_000


@dataclass(frozen=True)
class Suspect:
    """A sign-up kept apart, as it was received, and the rules it broke.

    `received_at` and `released_at` are epoch ms, the latter None while it waits.
    """

    id: str
    received_at: int
    email: str
    person: Mapping[str, str]
    list_ids: tuple[str, ...]
    form_id: int | None
    page: str | None
    network_address: str | None
    reasons: tuple[str, ...]
    released_at: int | None


_WAITING = suspected_signups.c.released_at.is_(None)
WAITING_NEWEST_FIRST = (
    select(suspected_signups)
    .where(_WAITING)
    .order_by(suspected_signups.c.received_at.desc(), suspected_signups.c.id.desc())
    .limit(bindparam("at_most"))
)
COUNT = select(func.count()).select_from(
    select(suspected_signups.c.id)
    .where(_WAITING)
    .order_by(suspected_signups.c.received_at.desc())
    .limit(COUNTED_TO)
    .subquery()
)
FIND = select(suspected_signups).where(suspected_signups.c.id == bindparam("wanted"))
_RELEASE = (
    update(suspected_signups)
    .where(suspected_signups.c.id == bindparam("wanted"), _WAITING)
    .values(released_at=bindparam("now"))
    .returning(suspected_signups.c.document, suspected_signups.c.received_at)
)
_DELETE = (
    delete(suspected_signups)
    .where(suspected_signups.c.id == bindparam("wanted"), _WAITING)
    .returning(suspected_signups.c.received_at)
)


class SuspectedSignups:
    """What is kept apart, beside the sign-ups; `Signups.accept` puts it there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, signup_id: str) -> Suspect | None:
        """The one of that id, released or not."""
        with self._database.reading() as connection:
            row = connection.execute(FIND, {"wanted": signup_id}).one_or_none()
        return None if row is None else _suspect(row)

    def waiting(self, limit: int) -> list[Suspect]:
        """Those that nobody has decided on, newest first."""
        with self._database.reading() as connection:
            return [_suspect(row) for row in connection.execute(WAITING_NEWEST_FIRST, {"at_most": limit})]

    def count(self) -> int:
        """How many wait for a decision, counted up to `COUNTED_TO`."""
        with self._database.reading() as connection:
            return connection.scalar(COUNT) or 0

    def room(self) -> SuspectedRoom:
        """How much room they take, and how many were not kept for want of it."""
        with self._database.reading() as connection:
            return room(connection)

    def release(self, signup_id: str, *, now: int) -> bool:
        """Make it a sign-up like any other, due at `now` (epoch ms); False when it does not wait (any more).

        It keeps its id and the time it was received: that is when the person consented, and who left since is
        not brought back by it.
        """
        copies, copied = self._database.copies, list[Entry]()
        with self._database.transaction(committed=lambda: copies.write(copied)) as connection:
            row = connection.execute(_RELEASE, {"wanted": signup_id, "now": now}).one_or_none()
            if row is None:
                return False
            document = read(row.document)
            signup, delivery = row_read(document["signup"]), row_read(document["delivery"]) | {"due_at": now}
            # Known already where it came by the spool as well: its commit had failed only seemingly.
            insert_unknown(connection, signups, signup)
            insert_unknown(connection, deliveries, delivery)
            copied += copies.of_rows(connection, {"signups": signup, "deliveries": delivery})
            copied.append(_changed(signup_id, row.received_at, {"released_at": now}))
            recount(connection)
            return True

    def delete(self, signup_id: str) -> bool:
        """Remove it for good; False when it does not wait (any more)."""
        copied = list[Entry]()
        with self._database.transaction(committed=lambda: self._database.copies.write(copied)) as connection:
            received_at = connection.scalar(_DELETE, {"wanted": signup_id})
            if received_at is not None:
                copied.append(_changed(signup_id, received_at, None))
                recount(connection)
        return received_at is not None


def _changed(signup_id: str, received_at: int, change: dict[str, Any] | None) -> Entry:
    return Entry(signup_id, received_at, changes={"suspected_signups": change})


def _suspect(row: Row[Any]) -> Suspect:
    signup = row_read(read(row.document)["signup"])
    return Suspect(
        id=row.id,
        received_at=row.received_at,
        email=signup["email"],
        person=read(signup["person"]),
        list_ids=tuple(read(signup["list_ids"])),
        form_id=row.form_id,
        page=signup.get("page"),
        network_address=signup.get("network_address"),
        reasons=tuple(read(row.reasons)),
        released_at=row.released_at,
    )
