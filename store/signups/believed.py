"""How many anonymous sign-ups were accepted and not suspected within a span of time, by form."""

from collections import Counter

from sqlalchemy import bindparam, func, select

from store.engine.database import Database
from store.schema.signups import signups

BY_FORM = (
    select(signups.c.form_id, func.count().label("number"))
    .where(
        signups.c.received_at >= bindparam("since"),
        signups.c.received_at < bindparam("before"),
        signups.c.asked_by == bindparam("asker"),
    )
    .group_by(signups.c.form_id)
)


class AcceptedByForm:
    """Counts sign-ups that are not suspected."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, asker: str, *, since: int, before: int) -> Counter[int | None]:
        """Return how many `asker` sent from `since` to `before` (epoch ms), by the form's id or None."""
        values = {"asker": asker, "since": since, "before": before}
        with self._database.reading() as connection:
            return Counter({row.form_id: row.number for row in connection.execute(BY_FORM, values)})
