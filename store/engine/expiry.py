"""Removing rows whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, Table, delete, select

from store.schema import oauth_attempts, rates, spent_tokens, throttles

if TYPE_CHECKING:
    from store.engine.database import Database

_AT_MOST = 100  # per call: a visitor does not pay for a long backlog


def prune(connection: Connection, table: Table, until: int, *, column: str = "expires_at") -> None:
    """Delete some rows of `table` whose `column` is at most `until` (epoch ms).

    Call it last in a transaction: skipping rows that others hold, it never waits, so it cannot deadlock.
    """
    (key,) = table.primary_key.columns
    expired = select(key).where(table.c[column] <= until).limit(_AT_MOST).with_for_update(skip_locked=True)
    connection.execute(delete(table).where(key.in_(expired)))


class Expiry:
    """Removes what is over also where nobody comes by any more to do it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, now: int) -> None:
        """Delete some of the rows whose time is over at `now` (epoch ms)."""
        for table in (oauth_attempts, spent_tokens, throttles, rates):
            with self._database.transaction() as connection:
                prune(connection, table, now)
