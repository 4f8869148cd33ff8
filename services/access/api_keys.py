"""The API keys of other servers, and the token of the scheduler that drains."""

import hashlib
import hmac

from services.access.requester import Requester


class ApiKeys:
    """The API keys of this deployment, kept as digests."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        """Keep digests of `keys`; sign-ups name a key by the first 8 digits of its digest."""
        self._requesters = {_digest(key): Requester(f"api:{_digest(key)[:8]}") for key in keys}

    def recognise(self, key: str) -> Requester | None:
        """Return who holds this key. Every digest is compared, so that the time it takes reveals nothing."""
        presented = _digest(key)
        found = None
        for digest, requester in self._requesters.items():
            if hmac.compare_digest(digest, presented):
                found = requester
        return found


class DrainToken:
    """The token of POST /internal/drain; where it is not set, the route answers 404."""

    def __init__(self, token: str) -> None:
        """Keep the digest of `token`, which is empty where it is not set."""
        self._digest = _digest(token) if token else None

    @property
    def is_set(self) -> bool:
        """Whether draining by request is switched on."""
        return self._digest is not None

    def matches(self, token: str) -> bool:
        """Return whether this is the token, in constant time."""
        return self._digest is not None and hmac.compare_digest(self._digest, _digest(token))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
