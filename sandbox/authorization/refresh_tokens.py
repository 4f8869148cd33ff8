"""Refresh tokens: 43 characters of base64url, as the vendor's are, which contain their whole state, signed.

They outlive the process that issued them, since the next process accepts the signature. Their 32 bytes are
the family (8), the number within the family (4), the time of issue in ms (6), mode, kind of client, user and
scopes (2), and the signature (12).
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sandbox.authorization.client import SCOPES, USERS
from sandbox.authorization.jwt import decoded, encoded

# Public, as the key of the access tokens is: the signature only excludes strings that no sandbox issued.
_SIGNING_KEY = b"the sandbox has no secrets"
_SIGNATURE_BYTES = 12
_MODES = ("rotating", "long_lived")
# The flags contain the index of the mode (one bit) and of the user (two bits), and a bit for each scope.
_USERS = tuple(USERS)
_FIRST_SCOPE_BIT = 4


@dataclass(frozen=True)
class RefreshToken:
    """What a refresh token contains. `number` counts its family's tokens; `issued_at` is in epoch seconds.

    `public` tells whether the family was begun by an application without a secret.
    """

    family_id: str
    number: int
    mode: str
    public: bool
    user: str
    scopes: tuple[str, ...]
    issued_at: float

    def written(self) -> str:
        """Return the token's text."""
        flags = _MODES.index(self.mode) | self.public << 1 | _USERS.index(self.user) << 2
        for place, scope in enumerate(SCOPES, start=_FIRST_SCOPE_BIT):
            flags |= (scope in self.scopes) << place
        payload = b"".join(
            (
                bytes.fromhex(self.family_id),
                self.number.to_bytes(4),
                int(self.issued_at * 1000).to_bytes(6),
                flags.to_bytes(2),
            )
        )
        return encoded(payload + _signature(payload))


def new_family_id() -> str:
    """Return a random id of 8 bytes, in hex."""
    return secrets.token_hex(8)


def read(text: str) -> RefreshToken | None:
    """Return the state in a validly signed token, None for any other text."""
    try:
        data = decoded(text)
    except ValueError:
        return None
    payload, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
    if not hmac.compare_digest(_signature(payload), signature):
        return None
    flags = int.from_bytes(payload[18:])
    return RefreshToken(
        family_id=payload[:8].hex(),
        number=int.from_bytes(payload[8:12]),
        mode=_MODES[flags & 1],
        public=bool(flags & 2),
        user=_USERS[flags >> 2 & 3],
        scopes=tuple(s for place, s in enumerate(SCOPES, start=_FIRST_SCOPE_BIT) if flags >> place & 1),
        issued_at=int.from_bytes(payload[12:18]) / 1000,
    )


def _signature(payload: bytes) -> bytes:
    return hmac.digest(_SIGNING_KEY, payload, hashlib.sha256)[:_SIGNATURE_BYTES]
