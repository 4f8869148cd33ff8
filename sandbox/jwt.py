"""JSON Web Tokens (RFC 7519), signed with HS256: just what the sandbox's access tokens need."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any
from uuid import uuid4

# The vendor's tokens have 1,000 to 1,200 characters: too short a column must fail here, too.
PADDING = "sandbox." * 52


def access_token(key: str, family: str, user: str, scopes: tuple[str, ...], now: float, seconds: int) -> str:
    """An access token with the claims that clients of the vendor look at, good for `seconds`."""
    claims = {
        "jti": uuid4().hex,
        "iss": "sandbox",
        "sub": user,
        "platform_user_id": "UNASSIGNED" if user == "unassigned" else str(uuid4()),
        "scp": list(scopes),
        "iat": int(now),
        "exp": int(now) + seconds,
        # Milliseconds, because a reset may fall into the second of issue.
        "ims": int(now * 1000),
        "fam": family,
        "pad": PADDING,
    }
    signed = ".".join(
        _encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    return f"{signed}.{_signature(signed, key)}"


def verified(token: str, key: str) -> dict[str, Any] | None:
    """The claims of a validly signed token, else None; expiry is the caller's affair."""
    signed, _, signature = token.rpartition(".")
    if not signed or not hmac.compare_digest(_signature(signed, key).encode(), signature.encode()):
        return None
    try:
        payload = signed.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError):
        return None
    return claims if isinstance(claims, dict) else None


def _signature(signed: str, key: str) -> str:
    return _encoded(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
