"""The store's connection and attempts on a file of the test, which looks inside and breaks them."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import select, update

from store.connection.authorization_requests import AuthorizationRequestRow, AuthorizationRequests
from store.connection.oauth_connection import ConnectionRow, OAuthConnections
from store.engine.database import Database
from store.errors import StoreUnavailable
from store.schema.connection import oauth_attempts


class ConnectionsOnFile(OAuthConnections):
    """``broken`` holds the names of the methods that raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.broken: set[str] = set()
        self.reads = 0
        self.new = self.row

    @property
    def row(self) -> ConnectionRow:
        """The row as it is, without counting as a read; setting it stands for whatever made it so."""
        return super().read()

    @row.setter
    def row(self, row: ConnectionRow) -> None:
        self._update(**asdict(row))

    def read(self) -> ConnectionRow:
        self._check("read")
        self.reads += 1
        return super().read()

    def take_lease(self, **asked: Any) -> bool:
        self._check("take_lease")
        return super().take_lease(**asked)

    def store_refreshed(self, **pair: Any) -> bool:
        self._check("store_refreshed")
        return super().store_refreshed(**pair)

    def store_connected(self, **connection: Any) -> None:
        self._check("store_connected")
        super().store_connected(**connection)

    def _check(self, name: str) -> None:
        if name in self.broken:
            raise StoreUnavailable(name)


class AttemptsOnFile(AuthorizationRequests):
    """A test sees the open attempts, and puts another in the place of one."""

    def open(self) -> dict[str, AuthorizationRequestRow]:
        """Return the open attempts by the hash of their state."""
        with self._database.reading() as connection:
            rows = connection.execute(select(oauth_attempts)).mappings().all()
        found = [dict(row) for row in rows]
        return {row.pop("state_hash"): AuthorizationRequestRow(**row) for row in found}

    def replace(self, state_hash: str, attempt: AuthorizationRequestRow) -> None:
        """Store ``attempt`` under that hash."""
        with self._database.transaction() as connection:
            connection.execute(
                update(oauth_attempts)
                .where(oauth_attempts.c.state_hash == state_hash)
                .values(**asdict(attempt))
            )
