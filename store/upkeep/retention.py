"""Retention: forget what is not needed any more. Sign-ups, the proof of consent, and unfinished rows stay."""

from collections.abc import Callable

from sqlalchemy import BindParameter, Connection, bindparam, delete, or_, select, update

from store.engine.copies import DAY_MS
from store.engine.database import Database
from store.schema.outbox import KEEPS_PAYLOAD, PARKED, UNFINISHED, attempts, deliveries
from store.schema.signups import signups, suspected_signups
from store.signups.batch import PROVEN
from store.signups.suspected_room import recount
from store.upkeep.masking import masked

KEPT_DAYS = 30
BATCH = 500
BATCHES_AT_ONCE = 20  # more than a day's calls; a longer backlog is left to the next time

_UNTIL_MS = KEPT_DAYS * DAY_MS
# Rows that another process has locked are left to it: neither waits for the other.
FINISHED = (
    select(deliveries.c.id, deliveries.c.source_id, signups.c.network_address, signups.c.user_agent)
    .outerjoin(signups, signups.c.id == deliveries.c.source_id)
    .where(KEEPS_PAYLOAD, deliveries.c.finished_at <= bindparam("until"))
    .order_by(deliveries.c.finished_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True, of=deliveries)
)
OLD_ATTEMPTS = (
    select(attempts.c.id)
    .where(attempts.c.started_at <= bindparam("until"))
    .order_by(attempts.c.started_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
OLD_SUSPECTED = (
    select(suspected_signups.c.id)
    .where(suspected_signups.c.received_at <= bindparam("until"))
    # A person decides on those of the first rank, however long they wait.
    .where(or_(suspected_signups.c.rank > PROVEN, suspected_signups.c.released_at.is_not(None)))
    .order_by(suspected_signups.c.received_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
# Ordered for the query plan, see `claims.ANY_WAITING`.
UNFINISHED_OF_DAY = (
    select(deliveries.c.id)
    .where(UNFINISHED, deliveries.c.received_at >= bindparam("since"))
    .where(deliveries.c.received_at < bindparam("before"))
    .order_by(deliveries.c.received_at)
    .limit(1)
)
PARKED_OF_DAY = (
    select(deliveries.c.id)
    .where(PARKED, deliveries.c.received_at >= bindparam("since"))
    .where(deliveries.c.received_at < bindparam("before"))
    .order_by(deliveries.c.id)
    .limit(1)
)
SUSPECTED_OF_DAY = (
    select(suspected_signups.c.id)
    .where(suspected_signups.c.released_at.is_(None), suspected_signups.c.received_at >= bindparam("since"))
    .where(suspected_signups.c.received_at < bindparam("before"))
    .order_by(suspected_signups.c.received_at)
    .limit(1)
)
_IDS: BindParameter[list[object]] = bindparam("ids", expanding=True)
_BLANK = update(deliveries).where(deliveries.c.id.in_(_IDS)).values(payload="{}")
_REMOVE = delete(attempts).where(attempts.c.id.in_(_IDS))
_REMOVE_SUSPECTED = delete(suspected_signups).where(suspected_signups.c.id.in_(_IDS))
MASK = (
    update(signups)
    .where(signups.c.id == bindparam("signup"))
    .values(network_address=bindparam("network"), user_agent=None)
)


class Retention:
    """Forgets in small transactions, so that no visitor waits for one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prune(self, now: int) -> int:
        """Forget what is older than 30 days at `now`.

        The payloads of what was delivered are blanked; their sign-ups keep the network of the address and
        nothing of the browser. The attempts made are removed, and suspected sign-ups: one that nobody
        released in that time is taken for what it looked like, unless it was proven to be a person's.

        Args:
            now: epoch ms.

        Returns:
            How many rows changed; with as many as `BATCH * BATCHES_AT_ONCE` of a kind, some may be left.
        """
        until = now - _UNTIL_MS
        work = (_forget_finished, _remove_attempts, _remove_suspected)
        changed = sum(self._in_batches(forget, until) for forget in work)
        with self._database.transaction() as connection:
            # Also those that a spool or a salvaged file has added.
            recount(connection)
        return changed

    def prune_copies(self, now: int) -> int:
        """Remove the copies of each day that is over, yesterday excepted, once nothing of it waits.

        At the latest 30 days after it; `now` is epoch ms. Returns how many days' copies went.
        """
        old = [
            file
            for begins, file in self._database.copies.files()
            if begins + 2 * DAY_MS <= now and (begins + DAY_MS + _UNTIL_MS <= now or not self._waits(begins))
        ]
        for file in old:
            file.unlink(missing_ok=True)
        return len(old)

    def _waits(self, begins: int) -> bool:
        if self._database.reading_back_since() is not None:
            return True
        day = {"since": begins, "before": begins + DAY_MS}
        with self._database.reading() as connection:
            looks = (UNFINISHED_OF_DAY, PARKED_OF_DAY, SUSPECTED_OF_DAY)
            return any(connection.scalar(look, day) is not None for look in looks)

    def _in_batches(self, forget: Callable[[Connection, int], int], until: int) -> int:
        changed = 0
        for _ in range(BATCHES_AT_ONCE):
            with self._database.transaction() as connection:
                batch = forget(connection, until)
            changed += batch
            if batch < BATCH:
                break
        return changed


def _forget_finished(connection: Connection, until: int) -> int:
    rows = connection.execute(FINISHED, {"until": until}).all()
    if rows:
        # One transaction: a blank payload is the mark that the sign-up is masked.
        connection.execute(_BLANK, {"ids": [row.id for row in rows]})
        seen = [
            {"signup": row.source_id, "network": masked(row.network_address)}
            for row in rows
            if row.network_address or row.user_agent
        ]
        if seen:
            connection.execute(MASK, seen)
    return len(rows)


def _remove_attempts(connection: Connection, until: int) -> int:
    ids = connection.scalars(OLD_ATTEMPTS, {"until": until}).all()
    if ids:
        connection.execute(_REMOVE, {"ids": ids})
    return len(ids)


def _remove_suspected(connection: Connection, until: int) -> int:
    ids = connection.scalars(OLD_SUSPECTED, {"until": until}).all()
    if ids:
        connection.execute(_REMOVE_SUSPECTED, {"ids": ids})
    return len(ids)
