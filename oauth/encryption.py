"""Tokens at rest: sealed with keys from the environment, so a copied database alone opens nothing."""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from oauth.errors import Undecryptable

_PURPOSE = b"subscriber-sync oauth tokens 1"
_SHORTEST_KEY = 16


class TokenCipher:
    """Seals with the newest key, opens with any key; its repr shows no key.

    Args:
        keys: Newest first; any strings of at least 16 characters.

    Raises:
        ValueError: No key, or one that is too short. There is no plain-text mode.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or any(len(key) < _SHORTEST_KEY for key in keys):
            raise ValueError("ENCRYPTION_KEYS needs at least one key, each of 16 characters or more.")
        fernets = [_fernet(key) for key in keys]
        self._newest = fernets[0]
        self._fernet = MultiFernet(fernets)

    def __repr__(self) -> str:
        return "TokenCipher(…)"

    def seal(self, text: str) -> str:
        """Return ``text``, encrypted and authenticated, as ASCII."""
        return self._fernet.encrypt(text.encode()).decode()

    def unseal(self, text: str) -> str:
        """Return the text that was sealed.

        Raises:
            Undecryptable: No key opens it, or it was altered.
        """
        try:
            return self._fernet.decrypt(text.encode()).decode()
        except InvalidToken:
            raise Undecryptable from None

    def is_stale(self, text: str) -> bool:
        """Tell whether ``text`` needs an older key than the newest, and would be lost with that one."""
        try:
            self._newest.decrypt(text.encode())
        except InvalidToken:
            return True
        return False

    def reseal(self, text: str) -> str:
        """Seal the same secret with the newest key.

        Raises:
            Undecryptable: As ``unseal``.
        """
        return self.seal(self.unseal(text))


def _fernet(key: str) -> Fernet:
    # HKDF (RFC 5869): people type pass phrases of any form, Fernet wants exactly 32 bytes.
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
