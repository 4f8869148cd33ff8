"""A model of a disk that loses what was not synced, replayed from the system calls of a real process.

The model is strict: a file's bytes survive a power cut when an fsync or fdatasync of it began after the write
was done (or the file was opened with O_DSYNC); a name survives when its folder was synced. A second kind of
cut keeps, in addition, a random half of what was not synced: a disk may write in an order of its own.
"""

import os
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.durability.machines.strace import (
    STRING,
    Call,
    data_of,
    last_argument,
    opened_path,
    path_of,
    read_trace,
    unescaped,
)

# SQLite rebuilds this file from the log, and only maps it into memory: its content does not matter.
_IGNORED_ENDING = "-shm"


@dataclass(frozen=True)
class Change:
    """One change of a file: `data` at the offset `at` (None: at the end), or a new `size`."""

    data: bytes = b""
    at: int | None = None
    size: int | None = None

    def apply(self, content: bytearray) -> None:
        """Make the change in `content`."""
        if self.size is not None:
            content[self.size :] = b""
            content.extend(bytes(self.size - len(content)))
            return
        at = len(content) if self.at is None else self.at
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + len(self.data)] = self.data


@dataclass
class File:
    """The synced bytes of a file, and the changes since the sync."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[Change] = field(default_factory=list)
    each_write_synced: bool = False
    folder: bool = False

    def change(self, change: Change) -> None:
        """Add a change."""
        self.since.append(change)
        if self.each_write_synced and change.size is None:
            self.sync(len(self.since))

    def sync(self, count: int) -> None:
        """Make the oldest `count` changes permanent."""
        for change in self.since[:count]:
            change.apply(self.synced)
        del self.since[:count]

    def content(self, kept: Sequence[Change]) -> bytes:
        """Return the bytes if of the unsynced changes only `kept` reached the disk."""
        content = bytearray(self.synced)
        for change in kept:
            change.apply(content)
        return bytes(content)


Names = Mapping[str, File | None]


class Disk:
    """The files and folders below one folder, whose own name is synced."""

    def __init__(self, root: Path) -> None:
        """Read `root`; its present content counts as synced."""
        self.root = root
        self.names: dict[str, File] = {}
        for path in root.rglob("*"):
            if not path.name.endswith(_IGNORED_ENDING):
                self.names[str(path)] = File(
                    bytearray(path.read_bytes() if path.is_file() else b""), folder=path.is_dir()
                )
        self.names_synced = dict(self.names)
        self._names_since: list[Names] = []

    def holds(self, path: str) -> bool:
        """Return whether the model follows this path."""
        return path.startswith(f"{self.root}/") and not path.endswith(_IGNORED_ENDING)

    def name(self, changes: Names) -> None:
        """Give files names, or (None) remove names; all of `changes` reach the disk together, or none.

        A rename is one change of two names: file systems with a journal (ext4, XFS, Btrfs, APFS) write both
        in one transaction.
        """
        _rename(self.names, changes)
        self._names_since.append(changes)

    def sync_names(self, folder: str, count: int) -> None:
        """Make those of the oldest `count` changes of names permanent that are in `folder`."""
        rest = []
        for changes in self._names_since[:count]:
            if folder in map(_folder_of, changes):
                _rename(self.names_synced, changes)
            else:
                rest.append(changes)
        self._names_since[:count] = rest

    @property
    def names_changed(self) -> int:
        """How many changes of names there are since the last sync."""
        return len(self._names_since)

    def after_cut(self, chance: random.Random | None = None) -> dict[str, bytes]:
        """Return the files after a power cut: what was synced, and with `chance` half of the rest."""
        names = dict(self.names_synced)
        for changes in self._names_since:
            if chance and chance.random() < 0.5:
                _rename(names, changes)
        # A file is lost with its folder's name.
        reached = {path: file for path, file in names.items() if _folder_of(path) in {str(self.root), *names}}
        return {path: file.content(_some(file.since, chance)) for path, file in reached.items()}

    def now(self) -> dict[str, bytes]:
        """Return the files as the processes see them."""
        return {path: file.content(file.since) for path, file in self.names.items()}


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _some(changes: list[Change], chance: random.Random | None) -> list[Change]:
    return [change for change in changes if chance.random() < 0.5] if chance else []


def _rename(names: dict[str, File], changes: Names) -> None:
    for path, file in changes.items():
        if file is None:
            names.pop(path, None)
        else:
            names[path] = file


class Replay:
    """Applies a trace to a disk, and stops at each moment at which the process sends bytes."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self._syncing: dict[str, int] = {}

    def run(self, trace: Path) -> Iterator[bytes]:
        """Yield the bytes of each send when it begins; the disk is then as it was at that moment."""
        for call in read_trace(trace):
            if call.done is None:
                self._begin(call)
                if call.name in {"sendto", "sendmsg"}:
                    yield data_of(call.arguments)
            elif call.done >= 0:
                self._end(call)

    def _begin(self, call: Call) -> None:
        if call.name not in {"fsync", "fdatasync"}:
            return
        file = self._file(path_of(call.arguments))
        self._syncing[call.thread] = self.disk.names_changed if file is None else len(file.since)

    def _end(self, call: Call) -> None:
        if call.name.startswith(("unlink", "rename", "link", "mkdir")):
            self._names(call)
            return
        path = opened_path(call) if call.name in {"openat", "creat"} else path_of(call.arguments)
        if call.name in {"fsync", "fdatasync"}:
            self._sync(path, self._syncing.pop(call.thread, 0))
        elif self.disk.holds(path):
            self._change(call, path)

    def _sync(self, path: str, count: int) -> None:
        file = self._file(path)
        if file is None:
            self.disk.sync_names(path, count)
        else:
            # Another thread's sync may have made some of the changes permanent meanwhile.
            file.sync(min(count, len(file.since)))

    def _file(self, path: str) -> File | None:
        """Return the file at that path; None for a folder, and for paths that the model does not follow."""
        file = self.disk.names.get(path)
        return None if file is None or file.folder else file

    def _change(self, call: Call, path: str) -> None:
        if call.name in {"openat", "creat"}:
            self._open(call, path)
            return
        file = self.disk.names[path]
        match call.name:
            case "pwrite64":
                file.change(Change(data_of(call.arguments)[: call.done], last_argument(call)))
            case "write" | "writev":
                file.change(Change(data_of(call.arguments)[: call.done]))
            case "ftruncate":
                file.change(Change(size=last_argument(call)))
            case "sync_file_range":
                pass  # promises nothing about a power cut
            case _:
                raise NotImplementedError(f"{call.name} of {path}: add it to machines/disk.py")

    def _open(self, call: Call, path: str) -> None:
        if path not in self.disk.names:
            if "O_CREAT" not in call.arguments:
                return
            self.disk.name({path: File()})
        file = self.disk.names[path]
        if "O_TRUNC" in call.arguments:
            file.change(Change(size=0))
        # For all descriptors of the file: the app opens a file always with the same flags.
        file.each_write_synced = file.each_write_synced or bool(re.search(r"O_D?SYNC", call.arguments))

    def _names(self, call: Call) -> None:
        paths = [os.path.normpath(unescaped(found)) for found in STRING.findall(call.arguments)]
        if not any(self.disk.holds(path) for path in paths):
            return
        if call.name.startswith("mkdir"):
            self.disk.name({paths[0]: File(folder=True)})
            return
        file = self.disk.names.get(paths[0])
        moved: Names = {} if call.name.startswith("link") else {paths[0]: None}
        if not call.name.startswith("unlink") and file is not None:
            moved = {**moved, paths[1]: file}
        self.disk.name(moved)
