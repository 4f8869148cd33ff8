"""An admin connects Constant Contact: from the button to stored tokens."""

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Sequence

import structlog

from oauth.authorization_server import AuthorizationServer
from oauth.errors import (
    AttemptUnknown,
    ConsentRefused,
    CredentialsRejected,
    ExchangeFailed,
    InvalidClient,
    InvalidGrant,
    ScopesMissing,
    TokenCallFailed,
    Undecryptable,
)
from oauth.keeper import LEASE_MS
from oauth.sealing import Sealer
from oauth.tokens import TokenPair
from oauth.vault import Attempts, StoredAttempt, Vault

ATTEMPT_MS = 900_000
_POLL_SECONDS = 0.25
# One poll more than a lease lasts, so that a lease left by a dead process never blocks an admin.
_POLLS = int(LEASE_MS / 1000 / _POLL_SECONDS) + 1

_REFUSALS = {
    "access_denied": "Access was refused on Constant Contact's page, or the window was closed there.",
    "invalid_scope": "Constant Contact does not offer this application the rights it asked for.",
    "unauthorized_client": "Constant Contact does not let this application ask for access.",
    "login_required": "Constant Contact wants you to sign in first.",
    "server_error": "Constant Contact had an internal problem.",
    "temporarily_unavailable": "Constant Contact is not available at the moment.",
}

_log = structlog.get_logger(__name__)


class Connector:
    """Starts and finishes attempts to connect. A failed attempt leaves the existing connection as it was.

    Args:
        vault: Where the tokens go.
        attempts: Where open attempts wait for the browser to come back.
        server: Gives the consent page's address and exchanges the code.
        sealer: Seals tokens and the PKCE verifier.
        clock: Epoch ms.
        scopes: To ask for; ``offline_access`` must be among them, or the vendor gives no refresh token.
        pkce: Whether to send a code challenge (RFC 7636, S256).
        on_connected: Called after the tokens are stored.
        wait: Waits the given seconds.
    """

    def __init__(  # noqa: PLR0913 - collaborators, wired once
        self,
        vault: Vault,
        attempts: Attempts,
        server: AuthorizationServer,
        sealer: Sealer,
        *,
        clock: Callable[[], int],
        scopes: Sequence[str],
        pkce: bool,
        on_connected: Callable[[], None],
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._vault = vault
        self._attempts = attempts
        self._server = server
        self._sealer = sealer
        self._clock = clock
        self._scopes = tuple(scopes)
        self._pkce = pkce
        self._on_connected = on_connected
        self._wait = wait or threading.Event().wait

    def start(self, *, browser: str, redirect_uri: str) -> str:
        """Opens an attempt for 15 minutes and returns the consent page's address.

        Args:
            browser: Secret that only this browser holds; the callback must show it again (RFC 9700 2.1).
            redirect_uri: Byte for byte as registered in the developer portal.
        """
        state = secrets.token_urlsafe(32)
        verifier = secrets.token_urlsafe(48) if self._pkce else ""
        now = self._clock()
        self._attempts.start(
            state_hash=_hash(state),
            browser_hash=_hash(browser),
            verifier_sealed=self._sealer.seal(verifier),
            redirect_uri=redirect_uri,
            now=now,
            expires_at=now + ATTEMPT_MS,
        )
        return self._server.authorize_url(
            redirect_uri, state, self._scopes, _challenge(verifier) if verifier else None
        )

    def finish(self, *, browser: str, state: str, code: str | None, error: str | None) -> None:
        """Stores the tokens of a consent. The code is sent once, whatever comes of it.

        Raises:
            AttemptUnknown: Unknown, used or expired state, or another browser. The vendor was not called.
            ConsentRefused: The browser came back with an error, or without a code.
            ScopesMissing: Contacts or the refresh token were not granted; nothing was stored.
            ExchangeFailed: The code was not accepted or the answer was lost: press Connect again.
            CredentialsRejected: The client id or secret is wrong.
        """
        # Consumed before anything is compared: a state that was shown once is worth nothing afterwards.
        attempt = self._attempts.consume(state_hash=_hash(state), now=self._clock())
        if attempt is None or not hmac.compare_digest(attempt.browser_hash, _hash(browser)):
            raise AttemptUnknown
        if error is not None or code is None:
            raise ConsentRefused(_REFUSALS.get(error or "", "Constant Contact did not grant access."))
        verifier = self._verifier(attempt)
        owner = f"connect-{secrets.token_hex(8)}"
        self._take_lease(owner)
        try:
            pair = self._exchange(code, attempt.redirect_uri, verifier)
            self._store(pair)
        except BaseException:
            self._vault.release_lease(owner=owner)
            raise
        _log.info("connection_made")
        self._on_connected()

    def disconnect(self) -> None:
        """Forgets the tokens. No revocation is documented; a new client secret cuts access for good."""
        self._vault.disconnect(now=self._clock())
        _log.info("connection_ended")

    def _verifier(self, attempt: StoredAttempt) -> str | None:
        try:
            return self._sealer.unseal(attempt.verifier_sealed) or None
        except Undecryptable:
            raise AttemptUnknown from None

    def _take_lease(self, owner: str) -> None:
        """Waits for a refresh under way: its late answer would expire the tokens of this exchange."""
        for _ in range(_POLLS):
            row = self._vault.read()
            now = self._clock()
            if self._vault.take_lease(owner=owner, generation=row.generation, now=now, until=now + LEASE_MS):
                return
            self._wait(_POLL_SECONDS)
        raise ExchangeFailed("The connection is being refreshed at this moment. Press Connect again.")

    def _exchange(self, code: str, redirect_uri: str, verifier: str | None) -> TokenPair:
        try:
            return self._server.exchange(code, redirect_uri, verifier, self._clock())
        except InvalidClient:
            raise CredentialsRejected from None
        except InvalidGrant:
            raise ExchangeFailed("The permission was too old or already used. Press Connect again.") from None
        except TokenCallFailed as failure:
            raise ExchangeFailed(f"{failure} Press Connect again.") from None

    def _store(self, pair: TokenPair) -> None:
        # RFC 6749 section 5.1: an answer without scope means that everything asked for was granted.
        granted = pair.scope.split() if pair.scope is not None else list(self._scopes)
        missing = [scope for scope in ("contact_data",) if scope not in granted]
        if pair.refresh is None:
            missing.append("offline_access")
        if missing or pair.refresh is None:
            raise ScopesMissing(missing)
        self._vault.store_connected(
            access_sealed=self._sealer.seal(pair.access),
            refresh_sealed=self._sealer.seal(pair.refresh),
            access_issued_at=pair.issued_at,
            access_expires_at=pair.expires_at,
            scope=pair.scope,
            now=self._clock(),
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
