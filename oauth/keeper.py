"""Hands out valid access tokens and refreshes them without ever losing a refresh token.

The order of things is what keeps a rotating connection alive: lease and generation are checked before a
refresh token is sent, and the new pair is stored before anything else happens.
"""

import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from oauth.authorization_server import AuthorizationServer
from oauth.errors import (
    Ambiguous,
    CredentialsRejected,
    InvalidClient,
    InvalidGrant,
    NeedsReauthorization,
    NotConnected,
    RefreshUnavailable,
    Refused,
    TokenCallFailed,
)
from oauth.sealing import Sealer
from oauth.tokens import TokenPair
from oauth.vault import StoredConnection, Vault

LEASE_MS = 20_000
HARD_MARGIN_MS = 120_000
FORCED_REFRESH_MS = 300_000
SLOW_RETRY_MS = 900_000
_BACKOFF_MS = (30_000, 60_000, 120_000, 300_000, SLOW_RETRY_MS)
# A superseded token is honoured for about 30 s (Okta's default), so a lost answer is asked for again soon,
# once a generation.
_LOST_ANSWER_MS = 2_000
_WAIT_SECONDS = 12.0
_POLL_SECONDS = 0.25
_SAVE_PAUSES = (0.0, 0.25, 0.75, 1.5, 2.5)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Opened:
    """The access token of one generation, decrypted."""

    generation: int
    access: str = field(repr=False)


@dataclass(frozen=True)
class _Unsaved:
    """A pair that the vendor issued and the vault did not take yet."""

    generation: int
    pair: TokenPair


class Keeper:
    """One per process; safe for any number of threads.

    Each question reads the connection row (one cheap read), so a pair stored or a disconnect made by another
    process counts at once; decrypting happens only when the generation changed.

    Args:
        vault: Where the connection row lives.
        server: Sends the refresh.
        sealer: Opens and seals tokens.
        clock: Epoch ms.
        owner: Name in the lease; must differ between processes, hence the process id is added.
        wait: Waits the given seconds.
    """

    def __init__(
        self,
        vault: Vault,
        server: AuthorizationServer,
        sealer: Sealer,
        *,
        clock: Callable[[], int],
        owner: str | None = None,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._vault = vault
        self._server = server
        self._sealer = sealer
        self._clock = clock
        self._owner = owner or secrets.token_hex(8)
        self._wait = wait or threading.Event().wait
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._unsaved: _Unsaved | None = None
        self._forced_at: int | None = None
        self._asked_again: int | None = None

    def current(self) -> str:
        """An access token that is valid for at least min(120 s, a tenth of its lifetime).

        Waits up to 12 s for a refresh that another thread or process has under way. A new pair is stored
        before its token is handed out; only when the vault refuses it for 5 s does the access token serve
        from memory, because the old pair is spent, and each further question tries to store the pair first.

        Raises:
            OAuthError: None is to be had; the subclass says why and ``retry_at`` when to ask again.
            Exception: Whatever the vault raises when it cannot be read.
        """
        if self._unsaved is None:
            token = self._fresh(self._vault.read(), rejected=None)
            if token is not None:
                return token
        return self._renew(rejected=None)

    def after_rejection(self, rejected: str) -> str:
        """An access token other than ``rejected``, which the API answered with 401.

        A newer stored one if there is one, else one forced refresh, at most every 5 minutes per process.

        Raises:
            OAuthError: As ``current``; with state ``api_rejected`` when a forced refresh did not help.
        """
        if self._unsaved is None:
            token = self._fresh(self._vault.read(), rejected)
            if token is not None:
                return token
        return self._renew(rejected)

    def refresh_now(self) -> None:
        """One refresh whatever the margins and pauses, because a person asks.

        Raises:
            OAuthError: Why there is no new pair; a token that is refused for good is not sent again.
        """
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            raise self._under_way(None)
        try:
            row = self._vault.read()
            if row.refresh_sealed is None:
                raise NotConnected
            if row.state == "needs_reauthorization":
                raise NeedsReauthorization
            refresh_token, now = self._sealer.unseal(row.refresh_sealed), self._clock()
            if not self._vault.take_lease(
                owner=self._lease_owner(), generation=row.generation, now=now, until=now + LEASE_MS
            ):
                raise self._under_way(row.lease_until)
            self._refresh(row, refresh_token, rejected=None)
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Drops the decrypted token; the next question opens the stored one again."""
        self._opened = None

    def _fresh(self, row: StoredConnection, rejected: str | None) -> str | None:
        if row.access_sealed is None or row.access_expires_at is None:
            return None
        if not _lasts(row.access_issued_at, row.access_expires_at, self._clock()):
            return None
        access = self._open(row.generation, row.access_sealed)
        return None if access == rejected else access

    def _open(self, generation: int, access_sealed: str) -> str:
        opened = self._opened
        if opened is None or opened.generation != generation:
            opened = _Opened(generation, self._sealer.unseal(access_sealed))
            self._opened = opened
        return opened.access

    def _renew(self, rejected: str | None) -> str:
        """Single flight: one thread refreshes, the others wait and then find the result in the row."""
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            raise self._under_way(None)
        try:
            if self._unsaved is not None and not self._saved(self._unsaved):
                return self._usable_unsaved(self._unsaved, rejected)
            return self._renew_alone(rejected)
        finally:
            self._lock.release()

    def _renew_alone(self, rejected: str | None) -> str:
        lease_until: int | None = None
        for _ in range(int(_WAIT_SECONDS / _POLL_SECONDS)):
            row = self._vault.read()
            token = self._fresh(row, rejected)
            if token is not None:
                return token
            refresh_token = self._refreshable(row, forced=rejected is not None)
            now = self._clock()
            # Taking the lease also proves that the vault can be written, before a token is spent.
            if self._vault.take_lease(
                owner=self._lease_owner(), generation=row.generation, now=now, until=now + LEASE_MS
            ):
                return self._refresh(row, refresh_token, rejected)
            lease_until = row.lease_until
            self._wait(_POLL_SECONDS)
        raise self._under_way(lease_until)

    def _refreshable(self, row: StoredConnection, *, forced: bool) -> str:
        """The refresh token to send; raises when the row says that sending is useless or too early."""
        if row.refresh_sealed is None:
            raise NotConnected
        if row.state == "needs_reauthorization":
            raise NeedsReauthorization
        now = self._clock()
        retry_at = row.next_refresh_at
        # A time beyond our longest pause was written before the clock was set back: do not wait for it.
        if retry_at is not None and now < retry_at <= now + 2 * SLOW_RETRY_MS:
            if row.state == "credentials_rejected":
                raise CredentialsRejected(retry_at=retry_at)
            raise RefreshUnavailable(
                "Refreshing the connection failed and is tried again soon.", retry_at=retry_at
            )
        if forced and self._forced_at is not None and abs(now - self._forced_at) < FORCED_REFRESH_MS:
            raise RefreshUnavailable(
                "Constant Contact refuses a fresh access token. Check that the application is active.",
                state="api_rejected",
                retry_at=now + FORCED_REFRESH_MS - abs(now - self._forced_at),
            )
        return self._sealer.unseal(row.refresh_sealed)

    def _refresh(self, row: StoredConnection, refresh_token: str, rejected: str | None) -> str:
        """Sends once. Runs with the lease; no transaction is open."""
        try:
            pair = self._server.refresh(refresh_token, self._clock())
        except TokenCallFailed as failure:
            return self._after_failure(row, failure, rejected)
        if rejected is not None:
            self._forced_at = self._clock()
        return self._keep(_Unsaved(row.generation, pair), rejected)

    def _after_failure(self, row: StoredConnection, failure: TokenCallFailed, rejected: str | None) -> str:
        state, retry_at = self._verdict(row, failure)
        noted = self._vault.record_failure(
            generation=row.generation, state=state, error=str(failure), next_refresh_at=retry_at
        )
        if not noted:
            # Somebody stored a newer pair meanwhile, so this failure is about a token that no longer counts.
            return self._adopt(rejected)
        _log.warning("token_refresh_failed", state=state, reason=type(failure).__name__, retry_at=retry_at)
        if isinstance(failure, InvalidGrant):
            raise NeedsReauthorization
        if isinstance(failure, InvalidClient):
            raise CredentialsRejected(retry_at=retry_at)
        raise RefreshUnavailable(str(failure), retry_at=retry_at)

    def _verdict(self, row: StoredConnection, failure: TokenCallFailed) -> tuple[str, int | None]:
        """The connection's new state and when to try again; only invalid_grant is final."""
        now = self._clock()
        if isinstance(failure, InvalidGrant):
            return "needs_reauthorization", None
        if isinstance(failure, InvalidClient):
            return "credentials_rejected", now + SLOW_RETRY_MS
        if isinstance(failure, Refused):
            return "refresh_failing", now + SLOW_RETRY_MS
        if isinstance(failure, Ambiguous) and self._asked_again != row.generation:
            self._asked_again = row.generation
            return "refresh_failing", now + _LOST_ANSWER_MS
        pause = _BACKOFF_MS[min(row.failures, len(_BACKOFF_MS) - 1)]
        return "refresh_failing", now + pause * (80 + secrets.randbelow(41)) // 100

    def _keep(self, unsaved: _Unsaved, rejected: str | None) -> str:
        for pause in _SAVE_PAUSES:
            if pause:
                self._wait(pause)
            if self._saved(unsaved):
                return self._adopt(rejected)
        # The old refresh token is spent, so this pair is all there is: hold it, and save it before
        # any other refresh. Its access token may be used; its refresh token is not until it is stored.
        self._unsaved = unsaved
        return self._usable_unsaved(unsaved, rejected)

    def _saved(self, unsaved: _Unsaved) -> bool:
        """Whether the vault answered; a newer generation there means that this pair is superseded."""
        pair = unsaved.pair
        try:
            stored = self._vault.store_refreshed(
                generation=unsaved.generation,
                access_sealed=self._sealer.seal(pair.access),
                refresh_sealed=None if pair.refresh is None else self._sealer.seal(pair.refresh),
                access_issued_at=pair.issued_at,
                access_expires_at=pair.expires_at,
                scope=pair.scope,
                now=self._clock(),
            )
        except Exception as error:  # noqa: BLE001 - whatever the vault raises, the pair must survive it
            _log.error("token_pair_not_stored", error=type(error).__name__)
            return False
        self._unsaved = None
        _log.info("token_pair_stored" if stored else "token_pair_superseded", generation=unsaved.generation)
        return True

    def _usable_unsaved(self, unsaved: _Unsaved, rejected: str | None) -> str:
        pair = unsaved.pair
        if pair.access != rejected and _lasts(pair.issued_at, pair.expires_at, self._clock()):
            return pair.access
        raise self._under_way(None)

    def _adopt(self, rejected: str | None) -> str:
        row = self._vault.read()
        token = self._fresh(row, rejected)
        if token is not None:
            return token
        if row.refresh_sealed is None:
            raise NotConnected
        raise self._under_way(row.lease_until)

    def _under_way(self, retry_at: int | None) -> RefreshUnavailable:
        soon = self._clock() + _LOST_ANSWER_MS
        return RefreshUnavailable("A new access token is on its way.", retry_at=max(soon, retry_at or 0))

    def _lease_owner(self) -> str:
        # A keeper made before a fork exists in every worker, and a lease never excludes its own owner.
        return f"{self._owner}-{os.getpid()}"


def _lasts(issued_at: int | None, expires_at: int, now: int) -> bool:
    lifetime = expires_at - issued_at if issued_at is not None else HARD_MARGIN_MS * 10
    return expires_at - now > min(HARD_MARGIN_MS, lifetime // 10)
