"""The vault and the attempts as plain objects, with the guards of the real statements."""

import threading
from dataclasses import dataclass, replace


class VaultDown(Exception):
    """The database cannot be used."""


@dataclass(frozen=True)
class Row:
    state: str = "disconnected"
    generation: int = 0
    epoch: int = 0
    access_sealed: str | None = None
    refresh_sealed: str | None = None
    access_expires_at: int | None = None
    access_issued_at: int | None = None
    scope: str | None = None
    failures: int = 0
    last_error: str | None = None
    next_refresh_at: int | None = None
    lease_owner: str | None = None
    lease_until: int | None = None
    refresh_issued_at: int | None = None
    refresh_used_at: int | None = None
    fingerprint: str | None = None
    account_id: str | None = None
    account_name: str | None = None
    account_user: str | None = None
    connected_by: str | None = None
    attempt_started_at: int | None = None
    outcome_unknown: bool = False
    forced_at: int | None = None
    seed_hash: str | None = None


class VaultInMemory:
    """One row. ``broken`` holds the names of the methods that raise VaultDown."""

    def __init__(self) -> None:
        self.row = Row()
        self.broken: set[str] = set()
        self.reads = 0
        self._lock = threading.Lock()

    def _check(self, name: str) -> None:
        if name in self.broken:
            raise VaultDown(name)

    def read(self) -> Row:
        self._check("read")
        self.reads += 1
        return self.row

    def take_lease(self, *, owner: str, generation: int, now: int, until: int, forced: bool = False) -> bool:
        self._check("take_lease")
        with self._lock:
            row = self.row
            held = row.lease_owner not in (None, owner) and (row.lease_until or 0) > now
            if row.generation != generation or held:
                return False
            self.row = replace(
                row,
                lease_owner=owner,
                lease_until=until,
                attempt_started_at=now,
                forced_at=now if forced else row.forced_at,
            )
            return True

    def renew_lease(self, *, owner: str, now: int, until: int) -> bool:
        self._check("renew_lease")
        with self._lock:
            if self.row.lease_owner != owner or (self.row.lease_until or 0) <= now:
                return False
            self.row = replace(self.row, lease_until=until)
            return True

    def release_lease(self, *, owner: str) -> None:
        with self._lock:
            if self.row.lease_owner == owner:
                self.row = replace(self.row, lease_owner=None, lease_until=None, attempt_started_at=None)

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
        self._check("store_refreshed")
        with self._lock:
            if self.row.generation != generation:
                return False
            self.row = replace(
                self.row,
                state="api_rejected" if self.row.state == "api_rejected" else "connected",
                generation=generation + 1,
                access_sealed=access_sealed,
                refresh_sealed=refresh_sealed or self.row.refresh_sealed,
                access_expires_at=access_expires_at,
                access_issued_at=access_issued_at,
                refresh_issued_at=self.row.refresh_issued_at if refresh_sealed is None else now,
                refresh_used_at=now,
                scope=scope,
                failures=0,
                last_error=None,
                next_refresh_at=None,
                outcome_unknown=False,
                lease_owner=None,
                lease_until=None,
                attempt_started_at=None,
            )
            return True

    def store_connected(
        self,
        *,
        access_sealed: str,
        refresh_sealed: str,
        access_issued_at: int,
        access_expires_at: int,
        scope: str | None,
        now: int,
        fingerprint: str | None = None,
        account_id: str | None = None,
        account_name: str | None = None,
        account_user: str | None = None,
        connected_by: str | None = None,
    ) -> None:
        self._check("store_connected")
        with self._lock:
            self.row = Row(
                state="connected",
                generation=self.row.generation + 1,
                epoch=self.row.epoch + 1,
                access_sealed=access_sealed,
                refresh_sealed=refresh_sealed,
                access_expires_at=access_expires_at,
                access_issued_at=access_issued_at,
                refresh_issued_at=now,
                scope=scope,
                fingerprint=fingerprint,
                account_id=account_id,
                account_name=account_name,
                account_user=account_user,
                connected_by=connected_by,
                seed_hash=self.row.seed_hash,
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
        self._check("record_failure")
        with self._lock:
            if (self.row.generation, self.row.lease_owner) != (generation, owner):
                return False
            self.row = replace(
                self.row,
                state=state,
                failures=self.row.failures + 1,
                last_error=error,
                next_refresh_at=next_refresh_at,
                outcome_unknown=outcome_unknown or self.row.outcome_unknown,
                lease_owner=None,
                lease_until=None,
                attempt_started_at=None,
            )
            return True

    def note_state(self, *, generation: int, state: str, error: str | None) -> bool:
        self._check("note_state")
        with self._lock:
            if self.row.generation != generation:
                return False
            self.row = replace(self.row, state=state, last_error=error)
            return True

    def reseal(self, *, generation: int, access_sealed: str | None, refresh_sealed: str | None) -> bool:
        self._check("reseal")
        with self._lock:
            if self.row.generation != generation:
                return False
            self.row = replace(
                self.row,
                access_sealed=access_sealed or self.row.access_sealed,
                refresh_sealed=refresh_sealed or self.row.refresh_sealed,
            )
            return True

    def plant_seed(self, *, refresh_sealed: str, seed_hash: str, fingerprint: str, now: int) -> bool:
        self._check("plant_seed")
        with self._lock:
            if self.row.refresh_sealed is not None or self.row.seed_hash == seed_hash:
                return False
            self.row = Row(
                state="connected",
                generation=self.row.generation + 1,
                epoch=self.row.epoch + 1,
                refresh_sealed=refresh_sealed,
                access_expires_at=0,
                refresh_issued_at=now,
                fingerprint=fingerprint,
                seed_hash=seed_hash,
            )
            return True

    def pin_account(self, *, epoch: int, account_id: str, account_name: str, account_user: str) -> bool:
        with self._lock:
            if (self.row.epoch, self.row.account_id) != (epoch, None) or self.row.refresh_sealed is None:
                return False
            self.row = replace(
                self.row, account_id=account_id, account_name=account_name, account_user=account_user
            )
            return True

    def disconnect(self, *, now: int) -> None:
        with self._lock:
            self.row = Row(
                generation=self.row.generation + 1, epoch=self.row.epoch + 1, seed_hash=self.row.seed_hash
            )


@dataclass(frozen=True)
class Attempt:
    browser_hash: str
    verifier_sealed: str
    redirect_uri: str
    created_at: int
    expires_at: int


class AttemptsInMemory:
    """Open attempts by the hash of their state."""

    def __init__(self) -> None:
        self.open: dict[str, Attempt] = {}

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
        self.open[state_hash] = Attempt(browser_hash, verifier_sealed, redirect_uri, now, expires_at)

    def consume(self, *, state_hash: str, now: int) -> Attempt | None:
        attempt = self.open.pop(state_hash, None)
        return attempt if attempt is not None and now < attempt.expires_at else None
