"""What this package has stored, as protocols; the store implements them and cannot read sealed values."""

# ruff: noqa: D102 - the columns are explained at their class

from typing import Protocol, TypedDict, Unpack


class StoredConnection(Protocol):
    """What is used of the one connection row. Times are epoch ms.

    ``generation`` grows with each new token pair, ``epoch`` with each authorization and disconnect.
    ``attempt_started_at`` stays set where the owner of a lease never reported. ``outcome_unknown`` says that
    the vendor may have spent the refresh token while its answer was lost.
    """

    @property
    def state(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def access_sealed(self) -> str | None: ...
    @property
    def refresh_sealed(self) -> str | None: ...
    @property
    def access_expires_at(self) -> int | None: ...
    @property
    def access_issued_at(self) -> int | None: ...
    @property
    def failures(self) -> int: ...
    @property
    def last_error(self) -> str | None: ...
    @property
    def next_refresh_at(self) -> int | None: ...
    @property
    def lease_owner(self) -> str | None: ...
    @property
    def lease_until(self) -> int | None: ...
    @property
    def refresh_issued_at(self) -> int | None: ...
    @property
    def refresh_used_at(self) -> int | None: ...
    @property
    def fingerprint(self) -> str | None: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def account_name(self) -> str | None: ...
    @property
    def attempt_started_at(self) -> int | None: ...
    @property
    def outcome_unknown(self) -> bool: ...
    @property
    def forced_at(self) -> int | None: ...
    @property
    def seed_hash(self) -> str | None: ...


class SealedAccess(TypedDict):
    """A sealed access token; times are epoch ms."""

    access_sealed: str
    access_issued_at: int
    access_expires_at: int
    scope: str | None


class Authorization(SealedAccess, total=False):
    """A new authorization: the access token, the installation, the account, and who connected it."""

    fingerprint: str | None
    account_id: str | None
    account_name: str | None
    account_user: str | None
    connected_by: str | None


class ConnectionStorage(Protocol):
    """Keeps the connection row; every write is one guarded statement, durable when it returns."""

    def read(self) -> StoredConnection:
        """Return the row; state ``disconnected`` and generation 0 before the first connection."""
        ...

    def take_lease(self, *, owner: str, generation: int, now: int, until: int, forced: bool = False) -> bool:
        """Give ``owner`` the lease; False when the generation has changed or another has a live lease."""
        ...

    def renew_lease(self, *, owner: str, now: int, until: int) -> bool:
        """Extend this owner's lease until ``until``; False when the lease is no longer this owner's."""
        ...

    def release_lease(self, *, owner: str) -> None:
        """End the lease if ``owner`` has it."""
        ...

    def store_refreshed(
        self, *, generation: int, refresh_sealed: str | None, now: int, **access: Unpack[SealedAccess]
    ) -> bool:
        """Store a refreshed pair if the generation still is ``generation``; None keeps the old refresh token.

        The state becomes connected, unless it is api_rejected.
        """
        ...

    def store_connected(
        self, *, refresh_sealed: str, now: int, **authorization: Unpack[Authorization]
    ) -> None:
        """Store the first pair of a new authorization, whatever was there before, and end any lease."""
        ...

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
        """Note a failed refresh and end its lease, where generation and lease owner still are as given.

        An unknown outcome stays on record until tokens are stored.
        """
        ...

    def note_state(self, *, generation: int, state: str, error: str | None) -> bool:
        """Note the state and its reason only, where the generation still is ``generation``."""
        ...

    def reseal(self, *, generation: int, access_sealed: str | None, refresh_sealed: str | None) -> bool:
        """Replace the ciphertexts of the same tokens, where the generation still is ``generation``."""
        ...

    def plant_seed(self, *, refresh_sealed: str, seed_hash: str, fingerprint: str, now: int) -> bool:
        """Store a refresh token from outside; True once for each hash, and only while none is stored."""
        ...

    def pin_account(self, *, epoch: int, account_id: str, account_name: str, account_user: str) -> bool:
        """Name the account where the row names none and the epoch still is ``epoch``."""
        ...

    def disconnect(self, *, now: int) -> None:
        """Erase the tokens."""
        ...


class StoredAttempt(Protocol):
    """What is used of an open attempt to connect."""

    @property
    def browser_hash(self) -> str: ...
    @property
    def verifier_sealed(self) -> str: ...
    @property
    def redirect_uri(self) -> str: ...


class Attempts(Protocol):
    """Keeps open attempts to connect, found by the hash of their state."""

    def start(
        self,
        *,
        state_hash: str,
        browser_hash: str,
        verifier_sealed: str,
        redirect_uri: str,
        now: int,
        expires_at: int,
    ) -> None:
        """Store a new attempt."""
        ...

    def consume(self, *, state_hash: str, now: int) -> StoredAttempt | None:
        """Return the attempt, to exactly one caller; None when it is unknown, used or expired."""
        ...
