"""How many sign-ups of each form wait for their delivery."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import bindparam, select, tuple_

from store.engine.database import Database
from store.schema import UNFINISHED, deliveries, signups

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
    """Counts in short reads: a long one would hold up the commits of a SQLite file without a log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> Counter[int]:
        """How many wait, by the form's id; a few that came at one moment may be missing at a page's end."""
        found, after = Counter[int](), (-1, -1)
        while True:
            values = dict(zip(("received", "due"), after, strict=True))
            with self._database.reading() as connection:
                rows = connection.execute(NEXT_PAGE, values).all()
            found.update(row.form_id for row in rows if row.form_id is not None)
            if len(rows) < PAGE:
                return found
            after = (rows[-1].received_at, rows[-1].due_at)
