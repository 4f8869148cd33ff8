"""How many sign-ups came in a span of time."""

from sqlalchemy import bindparam, func, select

from store.engine.database import Database
from store.schema.signups import signups

FIRST = select(func.min(signups.c.received_at))
COUNT = select(func.count()).select_from(
    select(signups.c.id)
    .where(signups.c.received_at >= bindparam("since"), signups.c.received_at < bindparam("before"))
    .limit(bindparam("at_most"))
    .subquery()
)


class Arrivals:
    """Counts sign-ups by the time at which they were received; times are epoch ms."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_at(self) -> int | None:
        """Return when the oldest sign-up came, None without any."""
        with self._database.reading() as connection:
            first_at: int | None = connection.scalar(FIRST)
        return first_at

    def count(self, since: int, before: int, *, at_most: int) -> int:
        """Return how many came from `since` until `before`; counting ends at `at_most`."""
        values = {"since": since, "before": before, "at_most": at_most}
        with self._database.reading() as connection:
            return connection.scalar(COUNT, values) or 0
