"""The system calls of a process, as `strace` writes them down."""

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

STRACE = shutil.which("strace")
_CALLS = (
    "openat,creat,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,ftruncate,truncate,fallocate,"
    "unlink,unlinkat,rename,renameat,renameat2,link,linkat,mkdir,mkdirat,sendto,sendmsg"
)
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")
_OPEN_FILE = re.compile(r"^\d+<([^>]*)>(\(deleted\))?")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_RESULT = re.compile(r"\) +=(?= )")
_UNFINISHED = " <unfinished ...>"


def traced(command: Sequence[object], trace: Path) -> list[object]:
    """Return `command` under strace, which writes to `trace` the lines that `read_trace` reads."""
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
class Call:
    """A system call's beginning (`done` is None) or end (`done` is the result)."""

    thread: str
    name: str
    arguments: str
    done: int | None


def read_trace(trace: Path) -> Iterator[Call]:
    """Yield beginnings and ends in the order in which strace saw them; mostly both of a call in a row."""
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


def last_argument(call: Call) -> int:
    """Return the call's last argument, a number."""
    return int(_RESULT.split(call.arguments)[0].rpartition(", ")[2])


def unescaped(shown: str) -> str:
    r"""Return the text that strace shows as `\x41\x42`."""
    return bytes.fromhex(shown.replace("\\x", "")).decode(errors="replace")


def path_of(arguments: str) -> str:
    """Return the path of the first argument, a descriptor; "" for a deleted file, whose data is lost."""
    match = _OPEN_FILE.match(arguments)
    return "" if match is None or match[2] else unescaped(match[1])


def opened_path(call: Call) -> str:
    """Return the path of the descriptor that the call returned."""
    return unescaped(call.arguments.rpartition("<")[2].rstrip(">"))


def data_of(arguments: str) -> bytes:
    """Return the bytes that the call writes or sends."""
    return b"".join(bytes.fromhex(found.replace("\\x", "")) for found in STRING.findall(arguments))
