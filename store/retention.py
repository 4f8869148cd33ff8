"""Forgetting what nobody needs any more; sign-ups stay, as the proof of consent, and what is unfinished."""

from sqlalchemy import Delete, Update, bindparam, delete, select, update

from store.database import Database
from store.schema import KEEPS_PAYLOAD, attempts, deliveries

KEPT_DAYS = 30
BATCH = 500
BATCHES_AT_ONCE = 20  # more than a day's calls; a longer backlog is left to the next time

_UNTIL_MS = KEPT_DAYS * 86_400_000
_FINISHED = (
    select(deliveries.c.id)
    .where(KEEPS_PAYLOAD, deliveries.c.finished_at <= bindparam("until"))
    .order_by(deliveries.c.finished_at)
    .limit(BATCH)
)
_OLD_ATTEMPTS = (
    select(attempts.c.id)
    .where(attempts.c.started_at <= bindparam("until"))
    .order_by(attempts.c.started_at)
    .limit(BATCH)
)
BLANK_PAYLOADS = update(deliveries).where(deliveries.c.id.in_(_FINISHED)).values(payload="{}")
REMOVE_ATTEMPTS = delete(attempts).where(attempts.c.id.in_(_OLD_ATTEMPTS))


class Retention:
    """Removes in small transactions, so that no visitor waits behind one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prune(self, now: int) -> int:
        """Blank the payloads of what was delivered, and remove the attempts made, 30 days before `now`.

        Args:
            now: epoch ms.

        Returns:
            How many rows changed; with as many as `BATCH * BATCHES_AT_ONCE` of a kind, some may be left.
        """
        return sum(self._in_batches(statement, now) for statement in (BLANK_PAYLOADS, REMOVE_ATTEMPTS))

    def _in_batches(self, statement: Update | Delete, now: int) -> int:
        changed = 0
        for _ in range(BATCHES_AT_ONCE):
            with self._database.transaction() as connection:
                batch = connection.execute(statement, {"until": now - _UNTIL_MS}).rowcount
            changed += batch
            if batch < BATCH:
                break
        return changed
