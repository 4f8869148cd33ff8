"""Identifiers that may be shown outside: sortable by time, impossible to guess."""

from __future__ import annotations

import ssl
import uuid


def new_id(now: int) -> str:
    """A UUIDv7 (RFC 9562 §5.7) for `now` in epoch milliseconds, with 74 random bits."""
    # OpenSSL's generator, as unguessable as the system's: asking that one lets go of the interpreter, and a
    # busy server then waits for it behind all other threads.
    random = int.from_bytes(ssl.RAND_bytes(10)) >> 6
    value = (
        (now & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    )
    return str(uuid.UUID(int=value))
