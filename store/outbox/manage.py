"""What a person decides about deliveries that wait or are parked: drop them, or send them to another list."""

from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, or_, select, update

from store import opt_outs
from store.engine.copies import Entry
from store.engine.database import Database
from store.engine.documents import read, written
from store.outbox import payloads
from store.outbox.put_aside import BY_PERSON
from store.schema.outbox import PARKED, UNFINISHED, deliveries
from store.schema.signups import signups

_PAGE = 200
_READY = deliveries.c.state == "ready"
# Those being sent may have been accepted by the vendor already.
_WAITS = or_(_READY, deliveries.c.state == "parked")
_DROP = (
    update(deliveries)
    .where(deliveries.c.source_id == bindparam("signup"), _WAITS)
    .values(state="dropped", due_at=None, finished_at=bindparam("now"), note=bindparam("remark"), cause=None)
    .returning(deliveries.c.source_id, deliveries.c.received_at)
)
# The lists stand in the sign-up's row, see `payloads`, or in the payload once they were replaced.
_NAMES_IT = or_(
    signups.c.list_ids.contains(bindparam("wanted")), deliveries.c.payload.contains(bindparam("wanted"))
)
WITH_LIST = (
    select(deliveries.c.id, deliveries.c.source_id, deliveries.c.received_at, deliveries.c.payload)
    .join(signups, signups.c.id == deliveries.c.source_id)
    .where(or_(UNFINISHED, PARKED), deliveries.c.id > bindparam("after"), _NAMES_IT)
    .order_by(deliveries.c.id)
    .limit(_PAGE)
)
_REPLACE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("this"), deliveries.c.payload == bindparam("before"), _WAITS)
    .values(
        payload=bindparam("after"),
        state="ready",
        due_at=bindparam("now"),
        attempts=0,
        alone=False,
        finished_at=None,
        cause=BY_PERSON,
        note=bindparam("remark"),
    )
)


class DeliveryActions:
    """Changes to deliveries by a person's decision; none is ever deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def drop(self, signup_id: str, *, now: int, note: str) -> bool:
        """End a delivery that waits or is parked, at `now` (epoch ms); it stays on record with the `note`.

        Return False when it is being sent, has ended, or is not known.
        """
        noted = list[Entry]()
        change = {"state": "dropped", "due_at": None, "finished_at": now, "note": note, "cause": None}
        with self._database.transaction(committed=lambda: self._database.copies.write(noted)) as connection:
            for row in connection.execute(_DROP, {"signup": signup_id, "now": now, "remark": note}):
                noted.append(Entry(row.source_id, row.received_at, changes={"deliveries": change}))
        return bool(noted)

    def replace_list(self, old: str, new: str, *, now: int, note: str) -> int:
        """In all that waits or is parked for the list `old`, put `new` in its place and make it due at `now`.

        In short transactions, page by page. What is being sent stays as it is. Returns how many changed.
        """
        return sum(self._replace(page, (old, new), now, note) for page in self._pages(old))

    def _pages(self, list_id: str) -> Iterator[list[tuple[int, str, int, str]]]:
        after = 0
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(WITH_LIST, {"after": after, "wanted": f'"{list_id}"'}).all()
            if not rows:
                return
            yield [(row.id, row.source_id, row.received_at, row.payload) for row in rows]
            after = rows[-1].id

    def _replace(
        self, page: list[tuple[int, str, int, str]], lists: tuple[str, str], now: int, note: str
    ) -> int:
        noted = list[Entry]()
        due = {"state": "ready", "due_at": now, "attempts": 0, "finished_at": None, "cause": BY_PERSON}
        with self._database.transaction(committed=lambda: self._database.copies.write(noted)) as connection:
            whole = payloads.wholes(connection, [(signup_id, before) for _, signup_id, _, before in page])
            for (delivery_id, signup_id, received_at, before), payload in zip(page, whole, strict=True):
                after = _with_list(before, payload.get("list_memberships") or [], *lists)
                if after is None:
                    continue
                values = {"this": delivery_id, "before": before, "after": after, "now": now, "remark": note}
                if connection.execute(_REPLACE, values).rowcount:
                    change = due | {"payload": after, "note": note}
                    noted.append(Entry(signup_id, received_at, changes={"deliveries": change}))
            if noted:
                # Their contacts may have left since.
                opt_outs.doubt(connection)
        return len(noted)


def _with_list(payload: str, lists: Sequence[str], old: str, new: str) -> str | None:
    """Return the stored payload with `new` in place of the list `old`; None where `old` is not in `lists`."""
    if old not in lists:
        return None
    replaced = list(dict.fromkeys(new if each == old else each for each in lists))
    return written(read(payload) | {"list_memberships": replaced})
