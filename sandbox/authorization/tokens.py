"""Authorization codes, access tokens and refresh tokens.

Codes live in memory. Tokens are signed, so they outlive the process: a validly signed token that this
process has never seen is taken on trust and its family is recreated with that token as the newest.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

from sandbox.authorization import jwt, refresh_tokens
from sandbox.authorization.client import SANDBOX_CLIENT_ID, authentication_missing
from sandbox.authorization.refresh_tokens import RefreshToken
from sandbox.errors import Unauthorized, invalid_grant

CODE_SECONDS = 300
UNUSED_SECONDS = 180 * 86_400


@dataclass(frozen=True)
class Grant:
    """What a person agreed to at the authorization page."""

    user: str
    scopes: tuple[str, ...]


@dataclass
class Code:
    """An authorization code; `family` is set once it has been redeemed."""

    grant: Grant
    redirect_uri: str
    challenge: str | None
    created_at: float
    redeemed: bool = False
    family: str | None = None


@dataclass
class Family:
    """All tokens descending from one authorization; times are epoch seconds.

    `public` tells whether it was given to an application without a secret.
    """

    family_id: str
    grant: Grant
    mode: str
    public: bool
    created_at: float
    used_at: float
    newest: int = 0
    newest_at: float = 0
    superseded: dict[int, float] = field(default_factory=dict)
    refresh_state: str = "none"
    access_revoked: bool = False


@dataclass(frozen=True)
class Policy:
    """The settings of the developer's application that concern tokens; durations in seconds."""

    mode: str
    grace_seconds: float
    access_seconds: int


class Tokens:
    """All codes and tokens of the server. The caller holds the world's lock; `now` is in epoch seconds."""

    def __init__(self, dead_until: float | None = None) -> None:
        """Start empty; tokens of unknown families issued up to `dead_until` (the last reset) are refused."""
        self._dead_until = dead_until
        self._codes: dict[str, Code] = {}
        self.families: dict[str, Family] = {}
        self.grace_hits = 0
        self.reuse_revocations = 0

    def issue_code(self, grant: Grant, redirect_uri: str, challenge: str | None, now: float) -> str:
        """Return a code that is valid for five minutes and one use."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = Code(grant, redirect_uri, challenge, now)
        return code

    def redeem(
        self,
        code: str,
        redirect_uri: str,
        verifier: str | None,
        policy: Policy,
        now: float,
        *,
        public: bool = False,
    ) -> dict[str, Any]:
        """Exchange a code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.6); `public` is one without a secret.

        Raises:
            TokenRefusal: `invalid_grant`; a code sent again also revokes the tokens it was exchanged for
                (§4.1.2). `invalid_client` where neither a secret nor PKCE proves who sends the code, which
                stays valid.
        """
        known = self._codes.get(code)
        if known is None:
            raise invalid_grant("The authorization code is invalid or has expired.")
        if public and known.challenge is None:
            raise authentication_missing()
        if known.redeemed:
            self._revoke(known.family)
            raise invalid_grant("The authorization code was used before.")
        known.redeemed = True
        if now - known.created_at > CODE_SECONDS:
            raise invalid_grant("The authorization code is invalid or has expired.")
        if redirect_uri != known.redirect_uri:
            raise invalid_grant("The redirect_uri is not the one of the authorization request.")
        if not _verified(known.challenge, verifier):
            raise invalid_grant("PKCE verification failed.")
        family = self._begin(known.grant, policy.mode, now, public=public)
        known.family = family.family_id
        return self._pair(family, policy, now)

    def refresh(self, token: str, policy: Policy, now: float, *, public: bool = False) -> dict[str, Any]:
        """Exchange a refresh token (RFC 6749 §6), rotating or long-lived as it was issued.

        `public` is a request without a secret.

        Raises:
            TokenRefusal: `invalid_grant`; a superseded token after its grace period revokes the newest, too.
                `invalid_client` where the token was issued to an application with a secret.
        """
        dead = invalid_grant("The refresh token is invalid or expired.")
        claims = refresh_tokens.read(token)
        family = self._family_of(claims, now) if claims is not None else None
        if claims is None or family is None or family.refresh_state != "active":
            raise dead
        if public and not family.public:
            raise authentication_missing()
        if now - family.used_at > UNUSED_SECONDS:
            raise dead
        number = claims.number
        if number > family.newest:
            # An earlier process issued it after the token by which this process learned of the family.
            family.newest, family.newest_at = number, claims.issued_at
        if number < family.newest and not self._in_grace(family, number, policy, now):
            family.refresh_state = "revoked"
            self.reuse_revocations += 1
            raise dead
        family.used_at = now
        return self._pair(family, policy, now)

    def check_access(self, token: str, now: float) -> Grant:
        """Return the user and the scopes of an access token.

        Raises:
            Unauthorized: forged, expired, revoked, or issued before the last reset.
        """
        claims = jwt.verified(token)
        if claims is None or claims["exp"] <= now:
            raise Unauthorized
        family = self.families.get(claims["fam"])
        if family.access_revoked if family else self._predates_reset(claims["ims"] / 1000):
            raise Unauthorized
        return Grant(claims["sub"], tuple(claims["scp"]))

    def _in_grace(self, family: Family, number: int, policy: Policy, now: float) -> bool:
        superseded_at = family.superseded.get(number, family.newest_at)
        honoured = now - superseded_at < policy.grace_seconds
        self.grace_hits += honoured
        return honoured

    def _begin(self, grant: Grant, mode: str, now: float, *, public: bool) -> Family:
        if mode == "rotating":
            # "A new set expires all earlier refresh tokens", those of other authorizations included.
            for earlier in self.families.values():
                if earlier.grant.user == grant.user and earlier.refresh_state == "active":
                    earlier.refresh_state = "expired"
        family = Family(refresh_tokens.new_family_id(), grant, mode, public, created_at=now, used_at=now)
        if "offline_access" in grant.scopes:
            family.refresh_state = "active"
        self.families[family.family_id] = family
        return family

    def _family_of(self, claims: RefreshToken, now: float) -> Family | None:
        family = self.families.get(claims.family_id)
        if family is None and not self._predates_reset(claims.issued_at):
            family = Family(
                claims.family_id,
                Grant(claims.user, claims.scopes),
                claims.mode,
                claims.public,
                created_at=claims.issued_at,
                # A long-lived token has its first time of issue however often it was used since.
                used_at=claims.issued_at if claims.mode == "rotating" else now,
                newest=claims.number,
                newest_at=claims.issued_at,
                refresh_state="active",
            )
            self.families[family.family_id] = family
        return family

    def _predates_reset(self, issued_at: float) -> bool:
        return self._dead_until is not None and issued_at <= self._dead_until

    def _revoke(self, family_id: str | None) -> None:
        if family_id in self.families:
            self.families[family_id].access_revoked = True
            self.families[family_id].refresh_state = "revoked"

    def _pair(self, family: Family, policy: Policy, now: float) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": policy.access_seconds,
            "access_token": jwt.access_token(
                client_id=SANDBOX_CLIENT_ID,
                family=family.family_id,
                user=family.grant.user,
                scopes=family.grant.scopes,
                now=now,
                seconds=policy.access_seconds,
            ),
            "scope": " ".join(family.grant.scopes),
        }
        if family.refresh_state == "active":
            if family.mode == "rotating" or family.newest == 0:
                family.superseded[family.newest] = now
                family.newest, family.newest_at = family.newest + 1, now
            answer["refresh_token"] = self._refresh_token(family)
        return answer

    def _refresh_token(self, family: Family) -> str:
        return RefreshToken(
            family.family_id,
            family.newest,
            family.mode,
            family.public,
            family.grant.user,
            family.grant.scopes,
            family.newest_at,
        ).written()


def _verified(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None or verifier is None:
        # RFC 9700 §2.1.1: a verifier without a challenge is refused, against downgrades.
        return challenge is None and verifier is None
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(jwt.encoded(digest), challenge)
