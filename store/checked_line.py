"""One line of a file that sign-ups are kept in: an id, a checksum over all of it, and a JSON document."""

import zlib
from typing import Any

from store import documents


def written(signup_id: str, body: str) -> bytes:
    """The line, with its end; `body` is the JSON document as `store.documents` writes it."""
    checked = f"{signup_id} {body}".encode()
    return f"{signup_id} {zlib.crc32(checked):08x} {body}\n".encode()


def read(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """The id and the document; None for a line that is not as it was written."""
    try:
        signup_id, checksum, body = line.rstrip(b"\n").split(b" ", 2)
        if zlib.crc32(signup_id + b" " + body) != int(checksum, 16):
            return None
        document = documents.read(body.decode())
        return (signup_id.decode(), document) if isinstance(document, dict) else None
    except ValueError:
        return None
