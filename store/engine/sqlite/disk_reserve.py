"""Free room on the disk of the sign-ups, and a ballast file that is deleted when there is none."""

import os
from contextlib import suppress
from pathlib import Path

from store.engine.files import write_all

_MEGABYTE = 1024 * 1024
LOW_BYTES = 64 * _MEGABYTE
FULL_BYTES = 8 * _MEGABYTE
BALLAST_BYTES = 16 * _MEGABYTE


class DiskReserve:
    """The file system below a folder.

    On a full disk no delivery can be noted as finished, so the outbox would never drain. Deleting the ballast
    makes room for that; new sign-ups are refused before they take that room too.
    """

    def __init__(
        self,
        folder: Path,
        *,
        low_bytes: int = LOW_BYTES,
        full_bytes: int = FULL_BYTES,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        """Touch nothing; the folder need not exist yet."""
        self._folder = folder.absolute()
        self._low, self._full, self._ballast_bytes = low_bytes, full_bytes, ballast_bytes
        self._ballast = self._folder / "ballast"

    def free(self) -> int:
        """Return how many bytes this user may still write."""
        try:
            status = os.statvfs(self._folder)
        except (FileNotFoundError, NotADirectoryError):
            status = os.statvfs(next(path for path in self._folder.parents if path.is_dir()))
        return status.f_bavail * status.f_frsize

    def low(self) -> bool:
        """Return whether a person should make room."""
        return self.free() < self._low

    def full(self) -> bool:
        """Return whether the rest is kept for finishing the deliveries of accepted sign-ups."""
        return self.free() < self._full

    def fill(self) -> None:
        """Write the ballast where it is missing and there is ample room; never raise."""
        if self._ballast.exists() or self.free() < self._low + self._ballast_bytes:
            return
        with suppress(OSError):
            self._write()

    def release(self) -> bool:
        """Delete the ballast; return False when there is none."""
        try:
            self._ballast.unlink()
        except OSError:
            return False
        return True

    def _write(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f"ballast-{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            # Written, not only truncated to that length: a sparse file takes no room.
            block = bytes(_MEGABYTE)
            for _ in range(self._ballast_bytes // _MEGABYTE):
                write_all(descriptor, block)
            draft.rename(self._ballast)
        finally:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
