"""Keys that other servers and schedulers present."""

from __future__ import annotations

import hashlib
import hmac

from services.access.requester import Requester


class ApiKeys:
    """The API keys of this deployment, kept as digests."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        """`keys` as configured; the sign-ups name a key by the start of its digest, never by itself."""
        self._askers = {_digest(key): Requester(f"api:{_digest(key)[:8]}") for key in keys}

    def recognise(self, key: str) -> Requester | None:
        """Who holds this key. Every known digest is compared, so that timing tells nothing."""
        presented = _digest(key)
        found = None
        for digest, asker in self._askers.items():
            if hmac.compare_digest(digest, presented):
                found = asker
        return found


class DrainToken:
    """The token of POST /internal/drain; without one the route does not exist."""

    def __init__(self, token: str) -> None:
        """`token` as configured, empty when unset."""
        self._digest = _digest(token) if token else None

    @property
    def is_set(self) -> bool:
        """Whether draining by request is switched on."""
        return self._digest is not None

    def matches(self, token: str) -> bool:
        """Whether the token presented is ours, in constant time."""
        return self._digest is not None and hmac.compare_digest(self._digest, _digest(token))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
