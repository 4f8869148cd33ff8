"""What every file beside the database needs: a lock between processes, complete writes, checked lines."""

import errno
import fcntl
import os
import threading
import time
import zlib
from base64 import b85decode, b85encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store.engine import documents

_POLL_SECONDS = 0.005
# Longer than the line of an ordinary sign-up: those stay readable, and compressing costs them no time.
_COMPRESSED_FROM_BYTES = 2048
_COMPRESSED = b"z"


def beside(path: Path, suffix: str) -> Path:
    """Return the path of the file whose name is that of `path` with `suffix` appended."""
    return path.with_name(path.name + suffix)


def size(path: Path) -> int:
    """Return the file's size in bytes, 0 when there is no such file."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def try_flock(descriptor: int) -> bool:
    """Lock the open file exclusively if it is free now; the kernel drops the lock when its holder dies."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def flocked(lock: Path, *, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Iterator[bool]:
    """Hold the lock file, which is never deleted; yield False when it was not free within `seconds`.

    Each caller has a descriptor of its own, so the threads of one process exclude each other too.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _acquired(descriptor, monotonic() + seconds, monotonic)
    finally:
        os.close(descriptor)


def _acquired(descriptor: int, end: float, monotonic: Callable[[], float]) -> bool:
    pause = threading.Event()
    while not try_flock(descriptor):
        if monotonic() >= end:
            return False
        pause.wait(_POLL_SECONDS)
    return True


def write_all(descriptor: int, content: bytes) -> None:
    """Write `content` by one call; raise OSError (ENOSPC) when a disk that fills up took only a part."""
    if os.write(descriptor, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk; raise OSError when that fails."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def checked_line(signup_id: str, document: str) -> bytes:
    """Return a line of the spool or of a second copy: id, checksum over the rest, JSON document, line end.

    `document` is as `documents.written` makes it. A long one is compressed where that makes it shorter, or a
    flood of text would fill the disk twice.
    """
    content = document.encode()
    if len(content) > _COMPRESSED_FROM_BYTES:
        # The fastest level; base 85 holds no line break.
        content = min(content, _COMPRESSED + b85encode(zlib.compress(content, 1)), key=len)
    checked = signup_id.encode() + b" " + content
    return f"{signup_id} {zlib.crc32(checked):08x} ".encode() + content + b"\n"


def read_checked_line(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return the id and the document; None for a line that is not as it was written."""
    try:
        signup_id, checksum, content = line.rstrip(b"\n").split(b" ", 2)
        if zlib.crc32(signup_id + b" " + content) != int(checksum, 16):
            return None
        if content.startswith(_COMPRESSED):
            content = zlib.decompress(b85decode(content[1:]))
        document = documents.read(content.decode())
        return (signup_id.decode(), document) if isinstance(document, dict) else None
    except (ValueError, zlib.error):
        return None
