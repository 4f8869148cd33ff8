"""The backlog as it is shown without an API key, where suspected sign-ups count like others.

The exact backlog grows by a sign-up that is not suspected and not by one that is, so a sender could read
there whether it was found out; and its shrinking shows when the call was made. Therefore, for strangers:

- each anonymous sign-up counts as waiting for its first five seconds, whether delivered or not;
- after that a suspected one counts as long as a believed one of the same moment would still wait: while a
  sign-up that is as old, or older, is due; and while deliveries stand still, since the last that got through.

What remains: while only suspected sign-ups come in, no call shows yet that the vendor is away.
"""

from sqlalchemy import Connection, bindparam, func, select

from store.engine.database import Database
from store.outbox.backlog import COUNTED_UP_TO, PENDING_UP_TO, Backlog
from store.schema.outbox import UNFINISHED, deliveries
from store.schema.signups import signups, suspected_signups

RECENT_MS = 5_000
# No sender watches one sign-up for longer, and no more rows are read.
LONGEST_STANDSTILL_MS = 86_400_000

# The sum (+ 0) keeps the planners off the index of due rows, which would need a sort, see `claims`.
OLDEST_DUE = (
    select(deliveries.c.received_at)
    .where(UNFINISHED, deliveries.c.due_at + 0 <= bindparam("now"))
    .order_by(deliveries.c.received_at)
    .limit(1)
)
LAST_BEFORE = (
    select(signups.c.received_at)
    .where(signups.c.received_at < bindparam("first_waiting"))
    .order_by(signups.c.received_at.desc())
    .limit(1)
)
_JUST_ARRIVED = (
    select(signups.c.received_at)
    .select_from(signups.join(deliveries, deliveries.c.source_id == signups.c.id))
    .where(signups.c.received_at >= bindparam("recent"), signups.c.asked_by == bindparam("stranger"))
    # Finished, see the schema.
    .where(deliveries.c.due_at.is_(None))
    .order_by(signups.c.received_at)
    .limit(COUNTED_UP_TO)
    .subquery()
)
_SUSPECTED = (
    select(suspected_signups.c.received_at)
    .where(suspected_signups.c.released_at.is_(None), suspected_signups.c.received_at >= bindparam("since"))
    .order_by(suspected_signups.c.received_at)
    .limit(COUNTED_UP_TO)
    .subquery()
)
_OLDEST = select(func.min(deliveries.c.received_at)).where(UNFINISHED)
# One statement, so that a delivery that ends meanwhile is not counted twice.
COUNT = select(
    PENDING_UP_TO.scalar_subquery().label("waiting"),
    _OLDEST.scalar_subquery().label("oldest_waiting"),
    select(func.count()).select_from(_JUST_ARRIVED).scalar_subquery().label("arrived"),
    select(func.min(_JUST_ARRIVED.c.received_at)).scalar_subquery().label("oldest_arrived"),
    select(func.count()).select_from(_SUSPECTED).scalar_subquery().label("suspected"),
    select(func.min(_SUSPECTED.c.received_at)).scalar_subquery().label("oldest_suspected"),
)


class PublicBacklog:
    """Counts the backlog as strangers may see it."""

    def __init__(self, database: Database, *, stranger: str) -> None:
        """`stranger` is the `asked_by` of anonymous sign-ups."""
        self._database = database
        self._stranger = stranger

    def read(self, now: int, *, standstill: bool) -> Backlog:
        """Return the counts at `now` (epoch ms), each up to COUNTED_UP_TO; `parked` is always 0.

        `standstill`: deliveries are known to fail at present.
        """
        with self._database.reading() as connection:
            recent = now - RECENT_MS
            values = {
                "at_most": COUNTED_UP_TO,
                "recent": recent,
                "stranger": self._stranger,
                "since": min(recent, self._waiting_since(connection, now, standstill=standstill)),
            }
            row = connection.execute(COUNT, values).one()
        oldest = (row.oldest_waiting, row.oldest_arrived, row.oldest_suspected)
        return Backlog(
            pending=min(row.waiting + row.arrived + row.suspected, COUNTED_UP_TO),
            oldest_received_at=min((at for at in oldest if at is not None), default=None),
            parked=0,
        )

    def _waiting_since(self, connection: Connection, now: int, *, standstill: bool) -> int:
        """Return since when (epoch ms) received sign-ups wait; `now` where none does."""
        due = connection.scalar(OLDEST_DUE, {"now": now})
        since = now if due is None else due
        if not standstill:
            return int(since)
        first = connection.scalar(_OLDEST)
        last = connection.scalar(LAST_BEFORE, {"first_waiting": now + 1 if first is None else first})
        begun = 0 if last is None else last + 1
        return int(min(since, max(begun, now - LONGEST_STANDSTILL_MS)))
