"""The spool: a local file for sign-ups that the database refuses, one line each, synced before the answer.

Personal data is as readable here as in the database; only the owner may read the file, and it is removed
after the import.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.engine import documents
from store.engine.files import checked_line, flocked, read_checked_line, size, sync_folder, write_all
from store.engine.sqlite.disk_reserve import DiskReserve
from store.errors import StoreUnavailable
from store.signups.accept import NewSignup, rows_of
from store.signups.batch import PROVEN, UNSURE, suspect_row

LARGEST_BYTES = 64 * 1024 * 1024
# Suspected sign-ups may take a tenth of the spool; the rest is for the others.
SUSPECTED_SHARE = 10
_LOCK_SECONDS = 2.0
_WAITING = "waiting"
_IMPORTING = "importing-"
_DAMAGED = "damaged-"
# Suspected sign-ups have files of their own, whose sizes say how much they take.
_SUSPECTED = "suspected"


@dataclass(frozen=True)
class Spooled:
    """One intact line: the rows it holds, each with the name of its table."""

    rows: tuple[tuple[str, Mapping[str, Any]], ...]


class Spool:
    """A folder with one file that every process appends to, under a lock that ends with its process."""

    def __init__(
        self,
        folder: Path,
        *,
        disk: DiskReserve | None = None,
        largest_bytes: int = LARGEST_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open nothing; beyond `largest_bytes` in all, or on a full disk, nothing more is stored."""
        self._folder = folder.absolute()
        self._disk = disk or DiskReserve(self._folder)
        self._largest = largest_bytes
        self._monotonic = monotonic

    def keep(
        self,
        signup: NewSignup,
        *,
        kind: str,
        payload: Mapping[str, object],
        broken: Sequence[str] = (),
        rank: int = UNSURE,
    ) -> bool:
        """Append a sign-up with its delivery; on return the line is on disk.

        One that has `broken` rules becomes a suspected sign-up at `rank`, without a delivery. Suspected ones
        have a tenth of the room, and none on a disk that is nearly full: then False is returned, and nothing
        was stored. What is proven to come from a person has all the room.

        Raises:
            StoreUnavailable: nothing was kept.
        """
        line = _line(signup, kind, payload, broken, rank)
        with _unavailable(), self._locked():
            if broken and rank > PROVEN and not self._has_room_for_suspected(len(line)):
                return False
            self._append(line, _SUSPECTED if broken else _WAITING)
        return True

    def check(self) -> None:
        """Return if a sign-up could be stored now; raises StoreUnavailable otherwise."""
        trial = self._folder / f"trial-{os.getpid()}-{threading.get_ident()}"
        with _unavailable(), self._locked():
            self._refuse_more_than_fits(4096)
            try:
                _write_synced(trial, bytes(4096))
            finally:
                trial.unlink(missing_ok=True)

    def waits(self) -> bool:
        """Return whether anything is to be imported; costs one listing of the folder."""
        return bool(self._files(_WAITING, _SUSPECTED, _IMPORTING))

    def count(self) -> int:
        """Return how many lines wait to be imported."""
        return sum(_content(file).count(b"\n") for file in self._files(_WAITING, _SUSPECTED, _IMPORTING))

    def damaged(self) -> int:
        """Return how many lines could not be imported and are kept for a person."""
        return sum(_content(file).count(b"\n") for file in self._files(_DAMAGED))

    def holds(self, signup_id: str) -> bool:
        """Return whether that sign-up waits here."""
        start = b"\n" + signup_id.encode() + b" "
        return any(start in b"\n" + _content(file) for file in self._files(_WAITING, _SUSPECTED, _IMPORTING))

    @contextmanager
    def set_aside(self) -> Iterator[list[Path]]:
        """Yield the files to import, to one importer at a time: empty while another one imports.

        Every writer opens the file anew under the lock, so none writes to one that was renamed under it.
        """
        self._make_folder()
        with flocked(self._folder / "import-lock", seconds=0, monotonic=self._monotonic) as alone:
            if alone:
                with self._locked():
                    self._rename_for_import()
            yield self._files(_IMPORTING) if alone else []

    def finish(self, file: Path, damaged: list[bytes]) -> None:
        """Remove an imported file; lines that could not be imported are kept in a file beside it.

        Interrupted anywhere, this may be repeated: the file of damaged lines is then written anew.
        """
        if damaged:
            kept = self._folder / file.name.replace(_IMPORTING, _DAMAGED)
            draft = self._folder / f"draft-{file.name}"
            _write_synced(draft, b"".join(line.rstrip(b"\n") + b"\n" for line in damaged))
            draft.rename(kept)
            sync_folder(self._folder)
        file.unlink()
        sync_folder(self._folder)

    def _rename_for_import(self) -> None:
        name = f"{_IMPORTING}{time.time_ns()}-{os.getpid()}"
        for waiting, importing in ((_WAITING, name), (_SUSPECTED, f"{name}-{_SUSPECTED}")):
            with suppress(FileNotFoundError):
                (self._folder / waiting).rename(self._folder / importing)
                sync_folder(self._folder)

    def _has_room_for_suspected(self, added: int) -> bool:
        files = self._files(_SUSPECTED, _IMPORTING, _DAMAGED)
        used = sum(size(file) for file in files if file.name.endswith(_SUSPECTED))
        return used + added <= self._largest // SUSPECTED_SHARE and not self._disk.low()

    def _append(self, line: bytes, name: str) -> None:
        path = self._folder / name
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            length = os.fstat(descriptor).st_size
            if length == 0:
                # Before the first line: a line that is on disk is then in a file that is on disk.
                sync_folder(self._folder)
                sync_folder(self._folder.parent)
            elif os.pread(descriptor, 1, length - 1) != b"\n":
                line = b"\n" + line  # a line that was cut off must not damage the next one
            self._refuse_more_than_fits(len(line))
            try:
                write_all(descriptor, line)
                os.fsync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, length)
                    os.fsync(descriptor)
                raise
        finally:
            os.close(descriptor)

    def _refuse_more_than_fits(self, added: int) -> None:
        used = sum(size(file) for file in self._files(_WAITING, _SUSPECTED, _IMPORTING, _DAMAGED))
        if used + added > self._largest:
            raise StoreUnavailable(f"the spool in {self._folder} has reached {self._largest} bytes")
        if self._disk.full():
            raise StoreUnavailable(f"the disk of {self._folder} is nearly full")

    def _files(self, *prefixes: str) -> list[Path]:
        # Each stored sign-up looks here first, and the folder is mostly empty: so no Path objects are made.
        with _unavailable(), suppress(FileNotFoundError, NotADirectoryError):
            names = os.listdir(self._folder)  # noqa: PTH208 - see above
            return sorted(self._folder / name for name in names if name.startswith(prefixes))
        return []

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._make_folder()
        with flocked(self._folder / "lock", seconds=_LOCK_SECONDS, monotonic=self._monotonic) as ours:
            if not ours:
                raise StoreUnavailable(f"the spool in {self._folder} is held by another process")
            yield

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def lines(file: Path) -> Iterator[tuple[bytes, Spooled | None]]:
    """Yield each line as it stands, and its rows; None for a damaged one."""
    with file.open("rb") as content:
        for line in content:
            if line.strip():
                yield line, _read(line)


def _line(
    signup: NewSignup, kind: str, payload: Mapping[str, object], broken: Sequence[str], rank: int
) -> bytes:
    row, delivery = rows_of(signup, kind, payload)
    rows: dict[str, Mapping[str, Any]] = {"signup": row, "delivery": delivery}
    if broken:
        # Under another name than the sign-up's rows: a release without suspected sign-ups would deliver it.
        rows = {"suspected": suspect_row(row, delivery, broken, rank)}
    return checked_line(signup.id, documents.rows_written(rows))


def _read(line: bytes) -> Spooled | None:
    found = read_checked_line(line)
    if found is None:
        return None
    _, document = found
    try:
        if "suspected" in document:
            return Spooled((("suspected_signups", documents.row_read(document["suspected"])),))
        signup, delivery = (documents.row_read(document[name]) for name in ("signup", "delivery"))
        return Spooled((("signups", signup), ("deliveries", delivery)))
    except (KeyError, AttributeError):
        return None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:  # imported since the folder was read
        return b""


def _write_synced(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error.strerror} ({error.filename})") from None
