"""Removing rows whose time is over also where no request does it in passing."""

from store.engine.database import Database
from store.engine.statements import prune
from store.schema.access import spent_tokens, throttles
from store.schema.connection import oauth_attempts
from store.schema.signups import rates


class Expiry:
    """Removes expired authorization requests, spent tokens, throttles and rate limits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, now: int) -> None:
        """Delete some of the rows whose time is over at `now` (epoch ms)."""
        for table in (oauth_attempts, spent_tokens, throttles, rates):
            with self._database.transaction() as connection:
                prune(connection, table, now)
