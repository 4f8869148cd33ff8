"""Who may act as admin: one password, or a one-time link for whoever has a shell on the machine."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable

import structlog
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.security import check_password_hash, generate_password_hash

from services.errors import TooManyAttempts
from store import SpentTokens, Throttles

log = structlog.get_logger(__name__)

WINDOW_MS = 15 * 60_000
ATTEMPTS_PER_WINDOW = 10
LINK_LIVES_MS = 60 * 60_000


class AdminAccess:
    """Checks the admin's password and one-time links, throttled over all processes."""

    def __init__(
        self,
        *,
        password: str,
        secret_key: str,
        throttles: Throttles,
        spent_tokens: SpentTokens,
        clock: Callable[[], int],
    ) -> None:
        """`password` may be given as a hash that starts with "scrypt:"; it is kept only as such a hash."""
        # The stamp binds sessions to the password: a new password ends them all.
        self._stamp = hmac.new(
            secret_key.encode(), b"admin session:" + password.encode(), hashlib.sha256
        ).hexdigest()
        self._hash = (
            password if password.startswith("scrypt:") else generate_password_hash(password, "scrypt")
        )
        self._links = URLSafeSerializer(secret_key, salt="admin sign-in link")
        self._throttles = throttles
        self._spent_tokens = spent_tokens
        self._clock = clock

    def sign_in(self, password: str, network_address: str) -> str | None:
        """The session's stamp when the password is right, else None.

        Raises:
            TooManyAttempts: ten tries from that network within a quarter of an hour.
        """
        now = self._clock()
        key = f"sign-in:{_network(network_address)}"
        # Counted before the comparison: parallel guesses are then counted as well.
        if self._throttles.hit(key, window_ms=WINDOW_MS, now=now) > ATTEMPTS_PER_WINDOW:
            log.warning("admin_sign_in_throttled")
            raise TooManyAttempts(retry_after=(WINDOW_MS - now % WINDOW_MS) // 1000 + 1)
        if not check_password_hash(self._hash, password):
            log.warning("admin_sign_in_refused")
            return None
        self._throttles.clear(key)
        log.info("admin_signed_in", by="password")
        return self._stamp

    def new_link_token(self) -> str:
        """A token that signs in once within an hour."""
        return self._links.dumps({"nonce": secrets.token_urlsafe(16), "until": self._clock() + LINK_LIVES_MS})

    def sign_in_by_link(self, token: str) -> str | None:
        """The session's stamp when the token is ours, in time and unused, else None."""
        now = self._clock()
        try:
            claim = self._links.loads(token)
        except BadData:
            return None
        # Of the nonce, not of the token: base64 leaves bits unused, so a token has several spellings.
        digest = hashlib.sha256(claim["nonce"].encode()).hexdigest()
        if claim["until"] < now or not self._spent_tokens.spend(digest, expires_at=claim["until"], now=now):
            return None
        log.info("admin_signed_in", by="link")
        return self._stamp

    def is_current(self, stamp: object) -> bool:
        """Whether a session with this stamp is still signed in."""
        return isinstance(stamp, str) and hmac.compare_digest(stamp.encode(), self._stamp.encode())


def _network(address: str) -> str:
    """The address, or for IPv6 its /64: one household holds 2^64 addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else str(parsed)
