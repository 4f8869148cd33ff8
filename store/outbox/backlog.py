"""How many deliveries wait: all of them, those of each form, and those that wait for a time of their own."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, tuple_

from store.engine.database import Database
from store.schema.outbox import PARKED, UNFINISHED, deliveries
from store.schema.signups import signups


@dataclass(frozen=True)
class Backlog:
    """What is not delivered: `pending` rows are tried again by themselves, `parked` ones need a person.

    Each is counted up to COUNTED_UP_TO, and is at least that many then.
    """

    pending: int
    oldest_received_at: int | None
    parked: int


@dataclass(frozen=True)
class OwnWait:
    """Deliveries that wait for a time of their own: how many, the first time (epoch ms), its last error."""

    count: int
    first_due_at: int
    last_error: str | None


# Health checks ask every few seconds, and counting a million rows takes a third of a second.
COUNTED_UP_TO = 10_000

PENDING_UP_TO = select(func.count()).select_from(
    # Ordered for the query plan, see `claims.ANY_WAITING`.
    select(deliveries.c.id)
    .where(UNFINISHED)
    .order_by(deliveries.c.received_at)
    .limit(bindparam("at_most"))
    .subquery()
)
PARKED_UP_TO = select(func.count()).select_from(
    select(deliveries.c.id).where(PARKED).order_by(deliveries.c.id).limit(bindparam("at_most")).subquery()
)
BACKLOG = select(
    PENDING_UP_TO.scalar_subquery().label("pending"),
    select(func.min(deliveries.c.received_at))
    .where(UNFINISHED)
    .scalar_subquery()
    .label("oldest_received_at"),
    PARKED_UP_TO.scalar_subquery().label("parked"),
)
WAITING_BEYOND = (
    select(deliveries.c.due_at, deliveries.c.last_error)
    .where(UNFINISHED, deliveries.c.due_at > bindparam("moment"), deliveries.c.state == "ready")
    .order_by(deliveries.c.due_at)
    .limit(1_000)
)
PAGE = 2_000
_PLACE = (deliveries.c.received_at, deliveries.c.due_at)
NEXT_PAGE = (
    select(signups.c.form_id, *_PLACE)
    .select_from(deliveries.join(signups, signups.c.id == deliveries.c.source_id))
    .where(UNFINISHED, tuple_(*_PLACE) > tuple_(bindparam("received"), bindparam("due")))
    .order_by(*_PLACE)
    .limit(PAGE)
)


class PendingByForm:
    """Counts in short reads: a long one would block commits to a SQLite file without a write-ahead log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> Counter[int]:
        """Return how many wait, by the form's id; a few received in the same millisecond may be missing."""
        found, after = Counter[int](), (-1, -1)
        while True:
            values = dict(zip(("received", "due"), after, strict=True))
            with self._database.reading() as connection:
                rows = connection.execute(NEXT_PAGE, values).all()
            found.update(row.form_id for row in rows if row.form_id is not None)
            if len(rows) < PAGE:
                return found
            after = (rows[-1].received_at, rows[-1].due_at)
