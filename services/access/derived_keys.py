"""One key for each purpose, made from SECRET_KEY, so that what one of them signs says nothing about another.

HKDF (RFC 5869) makes them; nothing else of the service signs with SECRET_KEY itself. What visitors are given
is signed with keys of a branch of their own, because those outlive SECRET_KEY
(services/protection/visitor_keys.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


@lru_cache(maxsize=64)
def derived_key(secret: str, purpose: str) -> str:
    """The key for `purpose`, in hexadecimal digits; keys of other purposes cannot be computed from it."""
    info = f"subscriber-sync {purpose} 1".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret.encode()).hex()


@dataclass(frozen=True)
class DerivedKeys:
    """The keys of everything that is signed, by what it is."""

    secret_key: str = field(repr=False)

    @property
    def session_cookie(self) -> str:
        """Signs the admin's session in its cookie."""
        return derived_key(self.secret_key, "session cookie")

    @property
    def csrf_token(self) -> str:
        """Signs the token that every form of the admin's pages carries."""
        return derived_key(self.secret_key, "csrf token")

    @property
    def session_stamp(self) -> str:
        """Binds a session to the admin's password."""
        return derived_key(self.secret_key, "session stamp")

    @property
    def sign_in_link(self) -> str:
        """Signs the one-time links of `flask sign-in-link`."""
        return derived_key(self.secret_key, "sign-in link")

    @property
    def signup_ids(self) -> str:
        """Tags the ids of sign-ups, so that they are known again."""
        return derived_key(self.secret_key, "sign-up ids")

    @property
    def visitors(self) -> str:
        """What the keys of all that visitors are given are made from."""
        return derived_key(self.secret_key, "visitors")
