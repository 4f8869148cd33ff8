"""One signing key for each purpose, derived from SECRET_KEY by HKDF (RFC 5869).

A signature by one key says nothing about another key; SECRET_KEY itself signs nothing. Form tokens and other
things that visitors are given are signed with keys that are derived once more, because these outlive a change
of SECRET_KEY (services/protection/visitor_keys.py).
"""

from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


@lru_cache(maxsize=64)
def derived_key(secret: str, purpose: str) -> str:
    """Return the key for `purpose` in hexadecimal digits."""
    info = f"subscriber-sync {purpose} 1".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret.encode()).hex()


@dataclass(frozen=True)
class DerivedKeys:
    """The signing keys, by purpose."""

    secret_key: str = field(repr=False)

    @property
    def session_cookie(self) -> str:
        """Signs the admin's session in its cookie."""
        return derived_key(self.secret_key, "session cookie")

    @property
    def csrf_token(self) -> str:
        """Signs the CSRF token in the forms of the admin's pages."""
        return derived_key(self.secret_key, "csrf token")

    @property
    def session_stamp(self) -> str:
        """Ties a session to the admin's password."""
        return derived_key(self.secret_key, "session stamp")

    @property
    def sign_in_link(self) -> str:
        """Signs the one-time links of `flask sign-in-link`."""
        return derived_key(self.secret_key, "sign-in link")

    @property
    def signup_ids(self) -> str:
        """Authenticates the ids of sign-ups, so that one of ours is told from a made-up one."""
        return derived_key(self.secret_key, "sign-up ids")

    @property
    def visitors(self) -> str:
        """Is what the keys for form tokens and the like are derived from."""
        return derived_key(self.secret_key, "visitors")
