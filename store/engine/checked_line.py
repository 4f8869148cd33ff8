"""One line of a file that sign-ups are kept in: an id, a checksum over all of it, and a JSON document.

A long document is compressed where that makes it shorter: a flood of text must not fill the disk twice.
"""

from __future__ import annotations

import zlib
from base64 import b85decode, b85encode
from typing import Any

from store.engine import documents

# Above all that a person's sign-up takes: those stay readable, and cost no time.
_LONG = 2048
_COMPRESSED = b"z"


def written(signup_id: str, body: str) -> bytes:
    """The line, with its end; `body` is the JSON document as `store.documents` writes it."""
    kept = body.encode()
    if len(kept) > _LONG:
        # The fastest level; in letters that hold no line break.
        kept = min(kept, _COMPRESSED + b85encode(zlib.compress(kept, 1)), key=len)
    checked = signup_id.encode() + b" " + kept
    return f"{signup_id} {zlib.crc32(checked):08x} ".encode() + kept + b"\n"


def read(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """The id and the document; None for a line that is not as it was written."""
    try:
        signup_id, checksum, body = line.rstrip(b"\n").split(b" ", 2)
        if zlib.crc32(signup_id + b" " + body) != int(checksum, 16):
            return None
        if body.startswith(_COMPRESSED):
            body = zlib.decompress(b85decode(body[1:]))
        document = documents.read(body.decode())
        return (signup_id.decode(), document) if isinstance(document, dict) else None
    except (ValueError, zlib.error):
        return None
