"""The token endpoint's answer of status 200, read strictly: half an answer must never replace good tokens."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SHORTEST_SECONDS = 10
LONGEST_SECONDS = 86_400
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")
# VSCHAR of RFC 6749 appendix A, of which a refresh token and a scope consist: anything else could be neither
# stored nor sent back.
_VISIBLE = re.compile(r"[\x20-\x7e]+")
_LONGEST_SCOPE = 2_000


class UnusableAnswer(ValueError):
    """The body is no complete token answer. The message says what is missing, and quotes nothing."""


@dataclass(frozen=True)
class TokenPair:
    """Tokens as issued. Times are epoch ms; ``refresh`` is None when the answer carried none."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    issued_at: int
    expires_at: int
    scope: str | None


def parse_token_answer(body: bytes, *, now: int) -> TokenPair:
    """Read the body of a 200 (RFC 6749 section 5.1).

    ``expires_in`` is believed between 10 s and 24 h: the vendor's guide shows 28,800 where 86,400 is true.
    Otherwise the access token's own claims decide, otherwise 24 h; a token that ends earlier shows as a 401.

    Args:
        body: As received, at most 64 KB.
        now: Epoch ms just before the call was sent.

    Raises:
        UnusableAnswer: Not JSON, no access token, not a bearer token, or tokens of a wrong type.
    """
    answer = _object(body)
    access = answer.get("access_token")
    if not isinstance(access, str) or not _HEADER_SAFE.fullmatch(access):
        raise UnusableAnswer("no access token")
    if str(answer.get("token_type")).lower() != "bearer":
        raise UnusableAnswer("not a bearer token")
    refresh = answer.get("refresh_token") or None
    if refresh is not None and not (isinstance(refresh, str) and _VISIBLE.fullmatch(refresh)):
        raise UnusableAnswer("refresh token is not text")
    scope = answer.get("scope")
    if isinstance(scope, str) and not _VISIBLE.fullmatch(scope):
        # Without a scope everything was granted; by one that cannot be read, nothing was.
        scope = ""
    seconds = _believable(answer.get("expires_in")) or _claimed_seconds(access, now) or LONGEST_SECONDS
    return TokenPair(
        access=access,
        refresh=refresh,
        issued_at=now,
        expires_at=now + seconds * 1000,
        scope=scope[:_LONGEST_SCOPE] if isinstance(scope, str) else None,
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise UnusableAnswer("not JSON") from None
    if not isinstance(answer, dict):
        raise UnusableAnswer("not a JSON object")
    return answer


def _believable(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) <= len(str(LONGEST_SECONDS)):
        value = int(value)
    if not isinstance(value, (int, float)):
        return None
    return int(value) if SHORTEST_SECONDS <= value <= LONGEST_SECONDS else None


def _claimed_seconds(access: str, now: int) -> int | None:
    """Return the lifetime by the JWT's claims, unverified: it only decides when to refresh."""
    try:
        payload = access.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        # exp - iat is a duration, so a wrong clock on our side does not matter.
        return _believable(claims["exp"] - claims.get("iat", now / 1000))
    except (IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
