"""Refresh tokens: 43 characters of base64url, as the vendor's are, that tell all that they stand for.

They outlive the process that issued them: what one says is signed, and believed by the next process. Their 32
bytes hold the family (8), the number within it (4), the time of issue in ms (6), kind, user and scopes (2),
and the signature (12).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sandbox.authorization.client import SCOPES, USERS
from sandbox.authorization.jwt import decoded, encoded

# Public, as the key of the access tokens is, and for the same reason.
_SIGNING_KEY = b"the sandbox has no secrets"
_SIGNATURE_BYTES = 12
_MODES = ("rotating", "long_lived")
# Their places in these stand in the flags; two bits are a user's.
_USERS = tuple(USERS)
_FIRST_SCOPE_BIT = 4


@dataclass(frozen=True)
class RefreshToken:
    """What a refresh token says. `number` counts the tokens of its family; `issued_at` is in epoch seconds.

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
        """The token as the application gets it."""
        flags = _MODES.index(self.mode) | self.public << 1 | _USERS.index(self.user) << 2
        for place, scope in enumerate(SCOPES, start=_FIRST_SCOPE_BIT):
            flags |= (scope in self.scopes) << place
        said = b"".join(
            (
                bytes.fromhex(self.family_id),
                self.number.to_bytes(4),
                int(self.issued_at * 1000).to_bytes(6),
                flags.to_bytes(2),
            )
        )
        return encoded(said + _signature(said))


def new_family_id() -> str:
    """An id of the length that has room in a token."""
    return secrets.token_hex(8)


def read(text: str) -> RefreshToken | None:
    """What a validly signed token says, else None."""
    try:
        data = decoded(text)
    except ValueError:
        return None
    said, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
    if not hmac.compare_digest(_signature(said), signature):
        return None
    flags = int.from_bytes(said[18:])
    return RefreshToken(
        family_id=said[:8].hex(),
        number=int.from_bytes(said[8:12]),
        mode=_MODES[flags & 1],
        public=bool(flags & 2),
        user=_USERS[flags >> 2 & 3],
        scopes=tuple(s for place, s in enumerate(SCOPES, start=_FIRST_SCOPE_BIT) if flags >> place & 1),
        issued_at=int.from_bytes(said[12:18]) / 1000,
    )


def _signature(said: bytes) -> bytes:
    return hmac.digest(_SIGNING_KEY, said, hashlib.sha256)[:_SIGNATURE_BYTES]
