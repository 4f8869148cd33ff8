"""Forgetting what nobody needs any more; sign-ups stay, as the proof of consent, and what is unfinished."""

from sqlalchemy import BindParameter, Delete, Select, Update, bindparam, delete, select, update

from store.database import Database
from store.schema import KEEPS_PAYLOAD, attempts, deliveries

KEPT_DAYS = 30
BATCH = 500
BATCHES_AT_ONCE = 20  # more than a day's calls; a longer backlog is left to the next time

_UNTIL_MS = KEPT_DAYS * 86_400_000
# Rows that another process is at are left to it: neither waits for the other.
FINISHED = (
    select(deliveries.c.id)
    .where(KEEPS_PAYLOAD, deliveries.c.finished_at <= bindparam("until"))
    .order_by(deliveries.c.finished_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
OLD_ATTEMPTS = (
    select(attempts.c.id)
    .where(attempts.c.started_at <= bindparam("until"))
    .order_by(attempts.c.started_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
_IDS: BindParameter[list[int]] = bindparam("ids", expanding=True)
_BLANK = update(deliveries).where(deliveries.c.id.in_(_IDS)).values(payload="{}")
_REMOVE = delete(attempts).where(attempts.c.id.in_(_IDS))


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
        return self._in_batches(FINISHED, _BLANK, now) + self._in_batches(OLD_ATTEMPTS, _REMOVE, now)

    def _in_batches(self, due: Select[int], change: Update | Delete, now: int) -> int:
        changed = 0
        for _ in range(BATCHES_AT_ONCE):
            with self._database.transaction() as connection:
                ids = connection.scalars(due, {"until": now - _UNTIL_MS}).all()
                if ids:
                    connection.execute(change, {"ids": ids})
            changed += len(ids)
            if len(ids) < BATCH:
                break
        return changed
