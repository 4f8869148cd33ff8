"""Identifiers that may be shown outside: sortable by time, impossible to guess."""

import hmac
import ssl
import uuid

TAG_BITS = 32
TAG = (1 << TAG_BITS) - 1


class SignupIds:
    """Gives each sign-up its id, and recognises its own ids without reading the store.

    A stranger who asks for a sign-up gets the same answer whether it is stored, suspected, deleted or was not
    kept. The store knows nothing of the last two; the id itself tells that it was given out.
    """

    def __init__(self, key: str) -> None:
        """Every process needs the same `key`."""
        self._key = key.encode()

    def new(self, now: int) -> str:
        """Return a UUIDv7 (RFC 9562 §5.7) for `now` (epoch ms); 42 of its bits are random, 32 a tag."""
        # OpenSSL's generator, as unguessable as the system's. Calling the system's releases the interpreter's
        # lock, and on a busy server the thread then waits for it behind all others.
        random = int.from_bytes(ssl.RAND_bytes(10)) >> 6
        value = (now & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62
        value |= random & (1 << 62) - 1 & ~TAG
        return str(uuid.UUID(int=value | self._tag(value)))

    def gave(self, signup_id: str) -> bool:
        """Return whether the id was given out here; False for ids from before a change of the key."""
        try:
            value = uuid.UUID(signup_id).int
        except ValueError:
            return False
        return value & TAG == self._tag(value & ~TAG)

    def _tag(self, untagged: int) -> int:
        signed = hmac.digest(self._key, untagged.to_bytes(16), "sha256")
        return int.from_bytes(signed[: TAG_BITS // 8])
