"""The one connection to the vendor: sealed tokens, a generation that grows with each pair, and a lease."""

from dataclasses import dataclass, fields

from sqlalchemy import func, or_, select, update

from store.database import Database
from store.schema import connection as table


@dataclass(frozen=True)
class ConnectionRow:
    """The row; sealed values are opaque here, times are epoch ms."""

    state: str
    generation: int
    epoch: int
    access_sealed: str | None
    refresh_sealed: str | None
    access_expires_at: int | None
    access_issued_at: int | None
    scope: str | None
    connected_at: int | None
    refreshed_at: int | None
    failures: int
    last_error: str | None
    next_refresh_at: int | None
    lease_owner: str | None
    lease_until: int | None


_ROW = table.c.name == "default"
_READ = select(*(table.c[field.name] for field in fields(ConnectionRow))).where(_ROW)
_LEASE_FREE = {"lease_owner": None, "lease_until": None}
_NO_FAULT = {"failures": 0, "last_error": None, "next_refresh_at": None}
_NEXT_GENERATION = {"generation": table.c.generation + 1}
_NEXT_EPOCH = {"epoch": table.c.epoch + 1}


class Connections:
    """The connection row; each change of tokens is one guarded UPDATE, on disk before it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> ConnectionRow:
        """The row; "disconnected", generation 0, epoch 0 before the first connection."""
        with self._database.reading() as connection:
            return ConnectionRow(**connection.execute(_READ).one()._mapping)

    def take_lease(self, *, owner: str, generation: int, now: int, until: int) -> bool:
        """Become the only one to refresh until `until` (epoch ms).

        False when the generation has moved on, or another's lease is live.
        """
        free = or_(table.c.lease_owner.is_(None), table.c.lease_owner == owner, table.c.lease_until <= now)
        return self._update(table.c.generation == generation, free, lease_owner=owner, lease_until=until)

    def release_lease(self, *, owner: str) -> None:
        """Give the lease back, if it is still the owner's."""
        self._update(table.c.lease_owner == owner, **_LEASE_FREE)

    def store_refreshed(
        self,
        *,
        generation: int,
        access_sealed: str,
        refresh_sealed: str | None,
        access_issued_at: int,
        access_expires_at: int,
        scope: str | None,
        now: int,
    ) -> bool:
        """Replace the tokens of `generation` by the next ones; False when that generation is gone.

        The old refresh token stays when the vendor sent none (RFC 6749, section 6: a new one is optional).
        """
        return self._update(
            table.c.generation == generation,
            state="connected",
            access_sealed=access_sealed,
            refresh_sealed=func.coalesce(refresh_sealed, table.c.refresh_sealed),
            access_issued_at=access_issued_at,
            access_expires_at=access_expires_at,
            scope=scope,
            refreshed_at=now,
            **_NEXT_GENERATION,
            **_NO_FAULT,
            **_LEASE_FREE,
        )

    def store_connected(
        self,
        *,
        access_sealed: str,
        refresh_sealed: str,
        access_issued_at: int,
        access_expires_at: int,
        scope: str | None,
        now: int,
    ) -> None:
        """Store the tokens of a new consent, whatever was there: a new epoch, a new generation."""
        self._update(
            state="connected",
            access_sealed=access_sealed,
            refresh_sealed=refresh_sealed,
            access_issued_at=access_issued_at,
            access_expires_at=access_expires_at,
            scope=scope,
            connected_at=now,
            refreshed_at=now,
            **_NEXT_EPOCH,
            **_NEXT_GENERATION,
            **_NO_FAULT,
            **_LEASE_FREE,
        )

    def record_failure(self, *, generation: int, state: str, error: str, next_refresh_at: int | None) -> bool:
        """Note that refreshing `generation` failed and free the lease; False when that generation is gone."""
        return self._update(
            table.c.generation == generation,
            state=state,
            last_error=error,
            next_refresh_at=next_refresh_at,
            failures=table.c.failures + 1,
            **_LEASE_FREE,
        )

    def disconnect(self, *, now: int) -> None:
        """Erase the tokens; a refresh under way finds its generation gone."""
        self._update(
            state="disconnected",
            access_sealed=None,
            refresh_sealed=None,
            access_issued_at=None,
            access_expires_at=None,
            scope=None,
            connected_at=None,
            refreshed_at=now,
            **_NEXT_EPOCH,
            **_NEXT_GENERATION,
            **_NO_FAULT,
            **_LEASE_FREE,
        )

    def _update(self, *guards: object, **values: object) -> bool:
        statement = update(table).where(_ROW, *guards).values(**values)  # type: ignore[arg-type]
        with self._database.transaction() as connection:
            return bool(connection.execute(statement).rowcount == 1)
