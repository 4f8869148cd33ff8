"""An admin connects Constant Contact: from the Connect button to stored tokens."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence

import structlog

from oauth.connecting.account_check import AccountLike
from oauth.context import OAuthContext
from oauth.errors import (
    AccountUnusable,
    AttemptUnknown,
    ConsentRefused,
    CredentialsRejected,
    ExchangeFailed,
    InvalidClient,
    InvalidGrant,
    OAuthError,
    ScopesMissing,
    TokenCallFailed,
    Undecryptable,
    WrongAccount,
)
from oauth.storage import Attempts, StoredAttempt
from oauth.token_source import LEASE_MS
from oauth.tokens import TokenPair

ATTEMPT_MS = 900_000
# The lease covers the account check, two calls of at most 13 s each: no refresh may come in between.
CHECK_MS = 30_000
_POLL_SECONDS = 0.25
# Polls for a little longer than a lease lasts, so that one left by a dead process never blocks an admin.
_POLLS = int(LEASE_MS / 1000 / _POLL_SECONDS) + 1

_REFUSALS = {
    "access_denied": "Access was refused on Constant Contact's page, or the window was closed there.",
    "invalid_scope": "Constant Contact does not offer this application the rights it asked for.",
    "unauthorized_client": "Constant Contact does not let this application ask for access.",
    "login_required": "Constant Contact wants you to sign in first.",
    "server_error": "Constant Contact had an internal problem.",
    "temporarily_unavailable": "Constant Contact is not available at the moment.",
}

_EVENTS: dict[type[OAuthError], str] = {ConsentRefused: "connect_denied", WrongAccount: "wrong_account"}

log = structlog.get_logger(__name__)


class Connector:
    """Starts and finishes attempts to connect. A failed attempt leaves the existing connection as it was.

    Args:
        context: What the parts of this package share; what ``audit`` hears names the actor.
        attempts: Where open attempts wait for the browser to come back.
        account_of: Whose account an access token opens; raises AccountUnavailable when that cannot be told,
            AccountUnusable when the vendor forbids asking.
        scopes: To ask for; ``offline_access`` must be among them, or the vendor gives no refresh token.
        pkce: Whether to send a code challenge (RFC 7636, S256).
        on_connected: Called after the tokens are stored.
    """

    def __init__(
        self,
        context: OAuthContext,
        attempts: Attempts,
        account_of: Callable[[str], AccountLike],
        *,
        scopes: Sequence[str],
        pkce: bool,
        on_connected: Callable[[], None],
    ) -> None:
        self._storage, self._server, self._cipher = context.storage, context.server, context.cipher
        self._clock, self._wait = context.clock, context.wait
        self._fingerprint, self._audit = context.fingerprint, context.audit
        self._attempts = attempts
        self._account_of = account_of
        self._scopes = tuple(scopes)
        self._pkce = pkce
        self._on_connected = on_connected

    def start(self, *, browser: str, redirect_uri: str) -> str:
        """Open an attempt for 15 minutes and return the consent page's address.

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
            verifier_sealed=self._cipher.seal(verifier),
            redirect_uri=redirect_uri,
            now=now,
            expires_at=now + ATTEMPT_MS,
        )
        return self._server.authorize_url(
            redirect_uri, state, self._scopes, _challenge(verifier) if verifier else None
        )

    def finish(
        self, *, browser: str, state: str, code: str | None, error: str | None, actor: str = "admin"
    ) -> None:
        """Exchange the code of a consent and store the tokens. The code is sent once, also when that fails.

        The account of the first connection is pinned until Disconnect. When the account cannot be told, an
        equal subject in the token is not taken as proof: pressing Connect again is cheap, a wrong account is
        not. A failure leaves the stored row as it was; once the code is exchanged, the vendor may still have
        ended the old tokens of the same user.

        Raises:
            AttemptUnknown: Unknown, used or expired state, or another browser. The vendor was not called.
            ConsentRefused: The browser came back with an error, or without a code.
            ScopesMissing: Something we need was not granted; nothing was stored.
            ExchangeFailed: The code was not accepted, the answer was lost, or the row changed meanwhile.
            CredentialsRejected: The client id or secret is wrong.
            AccountUnusable: No account behind the user, or no right to manage contacts; nothing was stored.
            WrongAccount: Another account than the pinned one; nothing was stored.
            AccountUnavailable: The account could not be told; nothing was stored.
        """
        # Consumed before anything is compared: a state is good for one callback only.
        attempt = self._attempts.consume(state_hash=_hash(state), now=self._clock())
        if attempt is None:
            # Not in the audit: a callback page that is opened again would read as a failure there.
            raise AttemptUnknown
        try:
            self._complete(attempt, browser, code, error, actor)
        except OAuthError as failure:
            log.warning("connecting_failed", error=type(failure).__name__)
            self._audit(_EVENTS.get(type(failure), "connect_failed"), str(failure), actor)
            raise
        log.info("connection_made")
        self._on_connected()
        self._audit("connected", None, actor)

    def disconnect(self, *, actor: str = "admin") -> None:
        """Erase the tokens. The vendor documents no revocation; a new client secret ends access for good."""
        self._storage.disconnect(now=self._clock())
        log.info("connection_ended")
        self._audit("disconnected", None, actor)

    def _complete(
        self, attempt: StoredAttempt, browser: str, code: str | None, error: str | None, actor: str
    ) -> None:
        if not hmac.compare_digest(attempt.browser_hash, _hash(browser)):
            raise AttemptUnknown
        if error is not None or code is None:
            raise ConsentRefused(_REFUSALS.get(error or "", "Constant Contact did not grant access."))
        verifier = self._verifier(attempt)
        owner = f"connect-{secrets.token_hex(8)}"
        self._take_lease(owner)
        try:
            pair = self._exchange(code, attempt.redirect_uri, verifier)
            refresh = self._granted(pair)
            self._keep_lease(owner)
            account = self._account(pair.access)
            # Nobody else connects under the lease, so the pinned account cannot change before storing.
            self._keep_lease(owner)
            self._check_pin(account)
            self._store(pair, refresh, account, actor)
        except BaseException:
            self._storage.release_lease(owner=owner)
            raise

    def _verifier(self, attempt: StoredAttempt) -> str | None:
        try:
            return self._cipher.unseal(attempt.verifier_sealed) or None
        except Undecryptable:
            raise AttemptUnknown from None

    def _take_lease(self, owner: str) -> None:
        """Wait for a refresh under way: its late answer would expire the tokens of this exchange."""
        for _ in range(_POLLS):
            row = self._storage.read()
            now = self._clock()
            if self._storage.take_lease(
                owner=owner, generation=row.generation, now=now, until=now + LEASE_MS
            ):
                return
            self._wait(_POLL_SECONDS)
        raise ExchangeFailed("The connection is being refreshed at this moment. Press Connect again.")

    def _keep_lease(self, owner: str) -> None:
        now = self._clock()
        if not self._storage.renew_lease(owner=owner, now=now, until=now + CHECK_MS):
            raise ExchangeFailed("The connection was changed at the same moment. Press Connect again.")

    def _exchange(self, code: str, redirect_uri: str, verifier: str | None) -> TokenPair:
        try:
            return self._server.exchange(code, redirect_uri, verifier, self._clock())
        except InvalidClient:
            raise CredentialsRejected(public=self._server.public) from None
        except InvalidGrant:
            raise ExchangeFailed("The permission was too old or already used. Press Connect again.") from None
        except TokenCallFailed as failure:
            raise ExchangeFailed(f"{failure} Press Connect again.") from None

    def _granted(self, pair: TokenPair) -> str:
        """Return the refresh token; raise ScopesMissing unless every scope that is needed was granted."""
        # RFC 6749 section 5.1: an answer without scope means that everything asked for was granted.
        granted = pair.scope.split() if pair.scope is not None else list(self._scopes)
        missing = [scope for scope in ("contact_data", "account_read") if scope not in granted]
        if pair.refresh is None:
            missing.append("offline_access")
        if missing or pair.refresh is None:
            raise ScopesMissing(missing)
        return pair.refresh

    def _account(self, access: str) -> AccountLike:
        account = self._account_of(access)
        if not account.account_id:
            raise AccountUnusable("The user who gave access belongs to no Constant Contact account.")
        if not account.may_manage_contacts:
            raise AccountUnusable(
                f"The user who gave access may not manage the contacts of “{account.name}”. "
                "A Campaign Creator, for one, may not."
            )
        return account

    def _check_pin(self, account: AccountLike) -> None:
        row = self._storage.read()
        if row.account_id not in (None, account.account_id):
            raise WrongAccount(row.account_name or row.account_id or "", account.name)

    def _store(self, pair: TokenPair, refresh: str, account: AccountLike, actor: str) -> None:
        self._storage.store_connected(
            access_sealed=self._cipher.seal(pair.access),
            refresh_sealed=self._cipher.seal(refresh),
            access_issued_at=pair.issued_at,
            access_expires_at=pair.expires_at,
            scope=pair.scope,
            now=self._clock(),
            fingerprint=self._fingerprint or None,
            account_id=account.account_id,
            account_name=account.name,
            account_user=account.user,
            connected_by=actor,
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
