"""The one OAuth connection: sealed tokens, a generation that grows with each pair, and a lease."""

from dataclasses import dataclass, fields
from typing import TypedDict, Unpack

from sqlalchemy import case, func, or_, select, update

from store.engine.database import Database
from store.schema.connection import connection as table


@dataclass(frozen=True)
class ConnectionRow:
    """The row; sealed values are ciphertexts, which this package cannot open; times are epoch ms.

    `generation` grows with each new token pair, `epoch` with each authorization and each disconnect.
    `attempt_started_at` is when the lease was taken, None once its holder has reported: set beside a lease
    that is over, it means that the holder died. `outcome_unknown` says that the vendor may have spent the
    refresh token, its answer being lost. `forced_at` is the last refresh that was made though the access
    token looked good. `seed_hash` is the hash of the last refresh token that was planted from outside.
    """

    state: str
    generation: int
    epoch: int
    access_sealed: str | None
    refresh_sealed: str | None
    access_expires_at: int | None
    access_issued_at: int | None
    refresh_issued_at: int | None
    refresh_used_at: int | None
    scope: str | None
    fingerprint: str | None
    account_id: str | None
    account_name: str | None
    account_user: str | None
    connected_by: str | None
    connected_at: int | None
    refreshed_at: int | None
    failures: int
    last_error: str | None
    next_refresh_at: int | None
    outcome_unknown: bool
    lease_owner: str | None
    lease_until: int | None
    attempt_started_at: int | None
    forced_at: int | None
    seed_hash: str | None


class SealedAccess(TypedDict):
    """The columns of a sealed access token; times are epoch ms."""

    access_sealed: str
    access_issued_at: int
    access_expires_at: int
    scope: str | None


class Authorization(SealedAccess, total=False):
    """The columns of a new authorization: access token, installation, account, and who connected it."""

    fingerprint: str | None
    account_id: str | None
    account_name: str | None
    account_user: str | None
    connected_by: str | None


_ROW = table.c.name == "default"
_READ = select(*(table.c[field.name] for field in fields(ConnectionRow))).where(_ROW)
_NO_ATTEMPT = {"lease_owner": None, "lease_until": None, "attempt_started_at": None}
_NEXT_GENERATION = {
    "generation": table.c.generation + 1,
    "failures": 0,
    "last_error": None,
    "next_refresh_at": None,
    "outcome_unknown": False,
    **_NO_ATTEMPT,
}
_NEXT_EPOCH = {"epoch": table.c.epoch + 1, "forced_at": None, **_NEXT_GENERATION}
_NO_ACCESS = {"access_sealed": None, "access_issued_at": None, "scope": None}
_NO_ACCOUNT = {"account_id": None, "account_name": None, "account_user": None, "connected_by": None}


class OAuthConnections:
    """The connection row; each change of tokens is one guarded UPDATE, on disk before it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> ConnectionRow:
        """Return the row; before the first connection "disconnected", generation 0, epoch 0."""
        with self._database.reading() as connection:
            return ConnectionRow(**connection.execute(_READ).one()._mapping)

    def take_lease(self, *, owner: str, generation: int, now: int, until: int, forced: bool = False) -> bool:
        """Take the lease, and with it the right to refresh, until `until` (epoch ms); an attempt begins.

        Args:
            owner: the caller's id; a lease never excludes its own owner.
            generation: the pair that is to be refreshed.
            now: epoch ms.
            until: epoch ms.
            forced: record `now` as the last refresh of an access token that looked good.

        Returns:
            False when the generation has grown, or another owner's lease is not over.
        """
        free = or_(table.c.lease_owner.is_(None), table.c.lease_owner == owner, table.c.lease_until <= now)
        return self._update(
            table.c.generation == generation,
            free,
            lease_owner=owner,
            lease_until=until,
            attempt_started_at=now,
            forced_at=now if forced else table.c.forced_at,
        )

    def renew_lease(self, *, owner: str, now: int, until: int) -> bool:
        """Extend the lease until `until` (epoch ms), for the same attempt.

        Return False when the lease is no longer the owner's: over at `now`, even if nobody has taken it,
        released, or ended by a newer pair.
        """
        return self._update(table.c.lease_owner == owner, table.c.lease_until > now, lease_until=until)

    def release_lease(self, *, owner: str) -> None:
        """End the lease, if it is still the owner's: the attempt is over and nothing was sent."""
        self._update(table.c.lease_owner == owner, **_NO_ATTEMPT)

    def store_refreshed(
        self, *, generation: int, refresh_sealed: str | None, now: int, **access: Unpack[SealedAccess]
    ) -> bool:
        """Replace the tokens of `generation` by the next pair; return False when that generation is gone.

        The old refresh token stays when the vendor sent none (RFC 6749, section 6: a new one is optional).
        Who holds the lease does not matter: even a slow caller has the only pair that is still valid. The
        state becomes connected, but "api_rejected" stays: only a call that the API accepts ends that state.
        """
        return self._update(
            table.c.generation == generation,
            state=case((table.c.state == "api_rejected", "api_rejected"), else_="connected"),
            refresh_sealed=func.coalesce(refresh_sealed, table.c.refresh_sealed),
            refresh_issued_at=table.c.refresh_issued_at if refresh_sealed is None else now,
            refresh_used_at=now,
            refreshed_at=now,
            **access,
            **_NEXT_GENERATION,
        )

    def store_connected(
        self, *, refresh_sealed: str, now: int, **authorization: Unpack[Authorization]
    ) -> None:
        """Store the tokens and the account of a new authorization: a new epoch and generation.

        Everything in the row is replaced but `seed_hash`.
        """
        self._update(
            state="connected",
            refresh_sealed=refresh_sealed,
            refresh_issued_at=now,
            refresh_used_at=None,
            connected_at=now,
            refreshed_at=now,
            **{"fingerprint": None, **_NO_ACCOUNT, **authorization},
            **_NEXT_EPOCH,
        )

    def record_failure(
        self,
        *,
        generation: int,
        state: str,
        error: str,
        next_refresh_at: int | None,
        outcome_unknown: bool = False,
        owner: str | None = None,
    ) -> bool:
        """Record that refreshing `generation` failed, and end the lease of `owner`.

        `outcome_unknown` stays set through later failures: it explains why a token is refused.

        Args:
            generation: the pair that was to be refreshed.
            state: the new state.
            error: why the refresh failed, in plain words.
            next_refresh_at: when the next attempt may begin (epoch ms).
            outcome_unknown: whether the vendor may have spent the refresh token.
            owner: who made the attempt; None for one without a lease.

        Returns:
            False when that generation is gone, or another owner has the lease now.
        """
        return self._update(
            table.c.generation == generation,
            table.c.lease_owner.is_not_distinct_from(owner),
            state=state,
            last_error=error,
            next_refresh_at=next_refresh_at,
            failures=table.c.failures + 1,
            outcome_unknown=True if outcome_unknown else table.c.outcome_unknown,
            **_NO_ATTEMPT,
        )

    def note_state(self, *, generation: int, state: str, error: str | None) -> bool:
        """Store the state and its reason only; return False when that generation is gone."""
        return self._update(table.c.generation == generation, state=state, last_error=error)

    def reseal(self, *, generation: int, access_sealed: str | None, refresh_sealed: str | None) -> bool:
        """Replace the ciphertexts of the same tokens; None leaves one as it is.

        Return False when that generation is gone. The generation does not grow, as the tokens are the same.
        """
        return self._update(
            table.c.generation == generation,
            access_sealed=func.coalesce(access_sealed, table.c.access_sealed),
            refresh_sealed=func.coalesce(refresh_sealed, table.c.refresh_sealed),
        )

    def plant_seed(self, *, refresh_sealed: str, seed_hash: str, fingerprint: str, now: int) -> bool:
        """Begin with a refresh token from outside: connected, with an access token that has expired.

        Return True exactly once per hash, and never while a refresh token is stored.
        """
        new = or_(table.c.seed_hash.is_(None), table.c.seed_hash != seed_hash)
        return self._update(
            table.c.refresh_sealed.is_(None),
            new,
            state="connected",
            refresh_sealed=refresh_sealed,
            access_expires_at=0,
            refresh_issued_at=now,
            refresh_used_at=None,
            fingerprint=fingerprint,
            connected_at=now,
            refreshed_at=None,
            seed_hash=seed_hash,
            **_NO_ACCESS,
            **_NO_ACCOUNT,
            **_NEXT_EPOCH,
        )

    def pin_account(self, *, epoch: int, account_id: str, account_name: str, account_user: str) -> bool:
        """Store the account of a connection without one; return False if it has one or `epoch` has grown."""
        return self._update(
            table.c.epoch == epoch,
            table.c.account_id.is_(None),
            table.c.refresh_sealed.is_not(None),
            account_id=account_id,
            account_name=account_name,
            account_user=account_user,
        )

    def disconnect(self, *, now: int) -> None:
        """Erase the tokens, the account and the fingerprint; a refresh under way finds its generation gone.

        `seed_hash` stays, or the next start would connect with the same planted token again.
        """
        self._update(
            state="disconnected",
            refresh_sealed=None,
            access_expires_at=None,
            refresh_issued_at=None,
            refresh_used_at=None,
            fingerprint=None,
            connected_at=None,
            refreshed_at=now,
            **_NO_ACCESS,
            **_NO_ACCOUNT,
            **_NEXT_EPOCH,
        )

    def _update(self, *guards: object, **values: object) -> bool:
        statement = update(table).where(_ROW, *guards).values(**values)  # type: ignore[arg-type]
        with self._database.transaction() as connection:
            return bool(connection.execute(statement).rowcount == 1)
