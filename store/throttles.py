"""Counts of events per time window, and tokens that work once, both shared by all processes."""

from sqlalchemy import Connection, delete, select, text

from store.engine.database import Database
from store.engine.statements import prune
from store.schema.access import spent_tokens, throttles

_HIT = text(
    "INSERT INTO throttles (key, window_start, hits, expires_at) VALUES (:key, :start, 1, :expires_at)"
    " ON CONFLICT (key) DO UPDATE SET"
    " hits = CASE WHEN throttles.window_start = excluded.window_start THEN throttles.hits + 1 ELSE 1 END,"
    " window_start = excluded.window_start, expires_at = excluded.expires_at RETURNING hits"
)
_SPEND = text(
    "INSERT INTO spent_tokens (token_hash, expires_at) VALUES (:token_hash, :expires_at)"
    " ON CONFLICT (token_hash) DO NOTHING"
)


class Throttles:
    """Fixed windows; a key is always used with the same window length."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hit(self, key: str, *, window_ms: int, now: int) -> int:
        """Count one event and return the count of the window that holds `now` (epoch ms)."""
        start = now - now % window_ms
        with self._database.transaction() as connection:
            values = {"key": key, "start": start, "expires_at": start + window_ms}
            hits: int = connection.execute(_HIT, values).scalar_one()
            prune(connection, throttles, now)
            return hits

    def clear(self, key: str) -> None:
        """Forget the key's count."""
        with self._database.transaction() as connection:
            connection.execute(delete(throttles).where(throttles.c.key == key))


class SpentTokens:
    """Hashes of used tokens, kept until the tokens expire by themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spend(self, token_hash: str, *, expires_at: int, now: int) -> bool:
        """Return True exactly once per hash, never for a token that is expired at `now` (epoch ms)."""
        if expires_at <= now:
            return False
        with self._database.transaction() as connection:
            first = spend(connection, token_hash, expires_at)
            prune(connection, spent_tokens, now)
            return first

    def is_spent(self, token_hash: str) -> bool:
        """Return whether the token was used, as long as it is kept."""
        known = select(spent_tokens.c.token_hash).where(spent_tokens.c.token_hash == token_hash)
        with self._database.reading() as connection:
            return connection.scalar(known) is not None


def spend(connection: Connection, token_hash: str, expires_at: int) -> bool:
    """Return True exactly once per hash, in the open transaction; keep it until `expires_at` (epoch ms)."""
    values = {"token_hash": token_hash, "expires_at": expires_at}
    return bool(connection.execute(_SPEND, values).rowcount == 1)
