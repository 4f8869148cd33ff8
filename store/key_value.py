"""Small texts by key, such as the cached lists of the account: the table `meta`."""

from collections.abc import Callable

from sqlalchemy import delete, select, text

from store.engine.database import Database
from store.schema.access import meta

_PUT = text(
    "INSERT INTO meta (key, value) VALUES (:key, :value)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_ADD = text("INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING")


class KeyValue:
    """The key-value table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        """Return the stored text, None for an unknown key."""
        with self._database.reading() as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.key == key))

    def starting_with(self, prefix: str) -> dict[str, str]:
        """Return the texts of all keys that begin with `prefix`, by key."""
        rows = select(meta.c.key, meta.c.value).where(meta.c.key.startswith(prefix, autoescape=True))
        with self._database.reading() as connection:
            return {row.key: row.value for row in connection.execute(rows)}

    def put(self, key: str, value: str) -> None:
        """Store the text, replacing an earlier one."""
        with self._database.transaction() as connection:
            connection.execute(_PUT, {"key": key, "value": value})

    def add(self, key: str, value: str) -> bool:
        """Store the text if the key is unknown; return True to exactly one of several callers."""
        with self._database.transaction() as connection:
            return bool(connection.execute(_ADD, {"key": key, "value": value}).rowcount == 1)

    def change(self, key: str, make: Callable[[str | None], str]) -> None:
        """Replace the text by `make(text)`, None for an unknown key; nobody else writes meanwhile."""
        with self._database.transaction() as connection:
            # On PostgreSQL two transactions may read side by side; only a row that exists can be locked.
            new = connection.execute(_ADD, {"key": key, "value": ""}).rowcount == 1
            row = select(meta.c.value).where(meta.c.key == key).with_for_update()
            value = None if new else connection.scalar(row)
            connection.execute(_PUT, {"key": key, "value": make(value)})

    def remove(self, key: str) -> None:
        """Delete the key, whether or not it is there."""
        with self._database.transaction() as connection:
            connection.execute(delete(meta).where(meta.c.key == key))
