"""A disk that forgets what was not synced, rebuilt from the system calls of a real process (`strace`).

The model is strict: a file's bytes survive a power cut when an fsync or fdatasync of it began after the write
was done (or the file was opened with O_DSYNC); a name survives when its folder was synced. A second kind of
cut keeps, in addition, a random half of what was not synced: a disk may write in an order of its own.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STRACE = shutil.which("strace")
_CALLS = (
    "openat,creat,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,ftruncate,truncate,fallocate,"
    "unlink,unlinkat,rename,renameat,renameat2,link,linkat,mkdir,mkdirat,sendto,sendmsg"
)
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")
_OPEN_FILE = re.compile(r"^\d+<([^>]*)>(\(deleted\))?")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_RESULT = re.compile(r"\) +=(?= )")
_UNFINISHED = " <unfinished ...>"
# It is rebuilt from the log, and only mapped into memory; what is in it does not matter.
_IGNORED_ENDING = "-shm"


def traced(command: Sequence[object], trace: Path) -> list[object]:
    """`command` under strace, which writes to `trace` what `read_trace` understands."""
    options = [
        "-f",
        "--seccomp-bpf",
        "-y",
        "-xx",
        "-s",
        "1000000",
        "-e",
        f"trace={_CALLS}",
        "-e",
        "signal=none",
    ]
    return [STRACE, *options, "-o", trace, *command]


@dataclass(frozen=True)
class Change:
    """One change of a file: bytes at a place (None: at the end), or a new size."""

    data: bytes = b""
    at: int | None = None
    size: int | None = None

    def apply(self, content: bytearray) -> None:
        """Make the change."""
        if self.size is not None:
            content[self.size :] = b""
            content.extend(bytes(self.size - len(content)))
            return
        at = len(content) if self.at is None else self.at
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + len(self.data)] = self.data


@dataclass
class File:
    """The bytes that are synced, and the changes since."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[Change] = field(default_factory=list)
    each_write_synced: bool = False
    folder: bool = False

    def change(self, change: Change) -> None:
        """Write, or truncate."""
        self.since.append(change)
        if self.each_write_synced and change.size is None:
            self.sync(len(self.since))

    def sync(self, count: int) -> None:
        """Make the oldest `count` changes last."""
        for change in self.since[:count]:
            change.apply(self.synced)
        del self.since[:count]

    def content(self, kept: Sequence[Change]) -> bytes:
        """The bytes when of the unsynced changes only `kept` reached the disk."""
        content = bytearray(self.synced)
        for change in kept:
            change.apply(content)
        return bytes(content)


Names = Mapping[str, File | None]


class Disk:
    """The files and folders below one folder, which itself lasts."""

    def __init__(self, root: Path) -> None:
        """What is in `root` now counts as synced."""
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
        """Whether a path is one of ours."""
        return path.startswith(f"{self.root}/") and not path.endswith(_IGNORED_ENDING)

    def name(self, changes: Names) -> None:
        """Give files their names, or take names away: all of it reaches the disk, or nothing.

        A rename is one change of two names: file systems with a journal (ext4, XFS, Btrfs, APFS) write both
        in one transaction.
        """
        _rename(self.names, changes)
        self._names_since.append(changes)

    def sync_names(self, folder: str, count: int) -> None:
        """Make the oldest `count` changes of names last, as far as they are in `folder`."""
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
        """The files after a power cut: what was synced, and with `chance` a random half of the rest."""
        names = dict(self.names_synced)
        for changes in self._names_since:
            if chance and chance.random() < 0.5:
                _rename(names, changes)
        # A file in a folder whose own name was lost is lost with it.
        reached = {path: file for path, file in names.items() if _folder_of(path) in {str(self.root), *names}}
        return {path: file.content(_some(file.since, chance)) for path, file in reached.items()}

    def now(self) -> dict[str, bytes]:
        """The files as the processes see them."""
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


@dataclass(frozen=True)
class Call:
    """A system call's beginning (`done` None) or end (`done` the result)."""

    thread: str
    name: str
    arguments: str
    done: int | None


def read_trace(trace: Path) -> Iterator[Call]:
    """Beginnings and ends in the order in which strace saw them; mostly both of a call in a row."""
    open_calls: dict[str, tuple[str, str]] = {}
    with trace.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            match = _LINE.match(line.rstrip("\n"))
            if match is None:
                continue
            thread, resumed, name, rest = match.groups()
            if resumed:
                if thread not in open_calls:
                    continue
                name, arguments = open_calls.pop(thread)
                yield Call(thread, name, arguments + rest, _result(rest))
                continue
            yield Call(thread, name, rest.removesuffix(_UNFINISHED), None)
            if rest.endswith(_UNFINISHED):
                open_calls[thread] = name, rest.removesuffix(_UNFINISHED)
            else:
                yield Call(thread, name, rest, _result(rest))


def _result(rest: str) -> int:
    value = _RESULT.split(rest)[-1].strip().split(" ")[0].split("<")[0]
    return int(value, 0) if re.fullmatch(r"-?\w+", value) else -1


def _last_argument(call: Call) -> int:
    return int(_RESULT.split(call.arguments)[0].rpartition(", ")[2])


class Replay:
    """Applies a trace to a disk, and tells each moment at which something was sent to somebody."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self._syncing: dict[str, int] = {}

    def run(self, trace: Path) -> Iterator[bytes]:
        """Yield what is sent at the moment when sending begins; the disk is then as it was at that moment."""
        for call in read_trace(trace):
            if call.done is None:
                self._begin(call)
                if call.name in {"sendto", "sendmsg"}:
                    yield _data(call.arguments)
            elif call.done >= 0:
                self._end(call)

    def _begin(self, call: Call) -> None:
        if call.name not in {"fsync", "fdatasync"}:
            return
        file = self._file(_path(call.arguments))
        self._syncing[call.thread] = self.disk.names_changed if file is None else len(file.since)

    def _end(self, call: Call) -> None:
        if call.name.startswith(("unlink", "rename", "link", "mkdir")):
            self._names(call)
            return
        path = _opened(call) if call.name in {"openat", "creat"} else _path(call.arguments)
        if call.name in {"fsync", "fdatasync"}:
            self._sync(path, self._syncing.pop(call.thread, 0))
        elif self.disk.holds(path):
            self._change(call, path)

    def _sync(self, path: str, count: int) -> None:
        file = self._file(path)
        if file is None:
            self.disk.sync_names(path, count)
        else:
            # Another thread's sync may have done some of it meanwhile.
            file.sync(min(count, len(file.since)))

    def _file(self, path: str) -> File | None:
        """The file of that path; None for a folder, and for what is none of ours."""
        file = self.disk.names.get(path)
        return None if file is None or file.folder else file

    def _change(self, call: Call, path: str) -> None:
        if call.name in {"openat", "creat"}:
            self._open(call, path)
            return
        file = self.disk.names[path]
        match call.name:
            case "pwrite64":
                file.change(Change(_data(call.arguments)[: call.done], _last_argument(call)))
            case "write" | "writev":
                file.change(Change(_data(call.arguments)[: call.done]))
            case "ftruncate":
                file.change(Change(size=_last_argument(call)))
            case "sync_file_range":
                pass  # promises nothing about a power cut
            case _:
                raise NotImplementedError(f"{call.name} of {path}: teach it to tests/durability/disk.py")

    def _open(self, call: Call, path: str) -> None:
        if path not in self.disk.names:
            if "O_CREAT" not in call.arguments:
                return
            self.disk.name({path: File()})
        file = self.disk.names[path]
        if "O_TRUNC" in call.arguments:
            file.change(Change(size=0))
        # Of all who opened the file so; ours open a file always in the same way.
        file.each_write_synced = file.each_write_synced or bool(re.search(r"O_D?SYNC", call.arguments))

    def _names(self, call: Call) -> None:
        paths = [os.path.normpath(_text(found)) for found in _STRING.findall(call.arguments)]
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


def _text(shown: str) -> str:
    return bytes.fromhex(shown.replace("\\x", "")).decode(errors="replace")


def _path(arguments: str) -> str:
    """The path behind the first argument, "" for what has none any more: that data is lost in any case."""
    match = _OPEN_FILE.match(arguments)
    return "" if match is None or match[2] else _text(match[1])


def _opened(call: Call) -> str:
    return _text(call.arguments.rpartition("<")[2].rstrip(">"))


def _data(arguments: str) -> bytes:
    return b"".join(bytes.fromhex(found.replace("\\x", "")) for found in _STRING.findall(arguments))
