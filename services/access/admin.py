"""Who may act as admin: who knows the password, or has a one-time link from `flask sign-in-link`."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

import structlog
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.security import check_password_hash, generate_password_hash

from services.access.derived_keys import DerivedKeys
from services.access.guess_limits import GuessLimits
from store.engine.clock import Clock
from store.errors import StoreError
from store.throttles import SpentTokens, Throttles

log = structlog.get_logger(__name__)

LINK_LIVES_MS = 60 * 60_000
# Counted from the sign-in, not from the last request.
SESSION_LIVES_MS = 12 * 3_600_000


@dataclass(frozen=True)
class _Link:
    """A genuine link in time; that it was used is stored as `digest` until `until` (epoch ms)."""

    digest: str
    until: int


class AdminAccess:
    """Checks the admin's password, one-time links and sessions."""

    def __init__(
        self,
        *,
        password: str,
        keys: DerivedKeys,
        throttles: Throttles,
        spent_tokens: SpentTokens,
        clock: Clock,
    ) -> None:
        """`password` is plain or a hash that starts with "scrypt:"; only the hash is kept."""
        # The stamp binds sessions to the password: a new password ends them all.
        self._stamp = hmac.new(keys.session_stamp.encode(), password.encode(), hashlib.sha256).hexdigest()
        self._hash = (
            password if password.startswith("scrypt:") else generate_password_hash(password, "scrypt")
        )
        self._links = URLSafeSerializer(keys.sign_in_link, salt="admin sign-in link")
        self._guesses = GuessLimits(throttles, clock=clock)
        self._spent_tokens = spent_tokens
        self._clock = clock

    def sign_in(self, password: str, network_address: str) -> str | None:
        """Return what a new session's cookie holds, None where the password is wrong.

        Raises:
            TooManyAttempts: See `GuessLimits.count`.
        """
        self._guesses.count(network_address)
        if not check_password_hash(self._hash, password):
            log.warning("admin_sign_in_refused")
            return None
        self._guesses.forget(network_address)
        log.info("admin_signed_in", by="password")
        return self._new_session()

    def new_link_token(self) -> str:
        """Return a token that signs in once, within an hour."""
        return self._links.dumps({"nonce": secrets.token_urlsafe(16), "until": self._clock() + LINK_LIVES_MS})

    def link_signs_in(self, token: str) -> bool:
        """Return whether the token is genuine, in time and unused. This does not use it up.

        Raises:
            StoreError: Whether it was used cannot be read.
        """
        link = self._link(token)
        return link is not None and not self._spent_tokens.is_spent(link.digest)

    def sign_in_by_link(self, token: str) -> str | None:
        """Return what a new session's cookie holds, None unless the token is genuine, in time and unused.

        No try is counted: guesses at the password must never lock out who holds a link.
        """
        link = self._link(token)
        if link is None or not self._spent_tokens.spend(
            link.digest, expires_at=link.until, now=self._clock()
        ):
            return None
        log.info("admin_signed_in", by="link")
        return self._new_session()

    def is_current(self, session: object) -> bool:
        """Return whether this session is still signed in.

        Raises:
            StoreError: Whether it was signed out cannot be read. Only a session with the right stamp asks.
        """
        name = self._name_of(session)
        return name is not None and not self._spent_tokens.is_spent(name)

    def is_seen_current(self, session: object) -> bool:
        """Return the same, and False where the store cannot be read, for an answer that must not fail."""
        try:
            return self.is_current(session)
        except StoreError:
            return False

    def sign_out(self, session: object) -> None:
        """End the session, also for copies of its cookie.

        Raises:
            StoreError: The session goes on.
        """
        name, now = self._name_of(session), self._clock()
        if name is not None:
            self._spent_tokens.spend(name, expires_at=now + SESSION_LIVES_MS, now=now)
            log.info("admin_signed_out")

    def _link(self, token: str) -> _Link | None:
        try:
            claim = self._links.loads(token)
        except BadData:
            return None
        # The digest is of the nonce: base64 leaves bits unused, so one token has several spellings.
        digest = hashlib.sha256(claim["nonce"].encode()).hexdigest()
        return None if claim["until"] < self._clock() else _Link(digest, claim["until"])

    def _new_session(self) -> str:
        return f"{self._stamp}.{secrets.token_urlsafe(16)}"

    def _name_of(self, session: object) -> str | None:
        """Return the name under which a sign-out is stored, None for a session that was never valid."""
        if not isinstance(session, str):
            return None
        stamp, _, nonce = session.partition(".")
        if not nonce or not hmac.compare_digest(stamp.encode(), self._stamp.encode()):
            return None
        return hashlib.sha256(f"session {nonce}".encode()).hexdigest()
