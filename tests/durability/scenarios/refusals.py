"""The store refuses while people sign up: the disk fills, the file is damaged, moved or deleted in use."""

import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from tests.durability.crowd import Crowd
from tests.durability.figures import Figure, at_most, zero
from tests.durability.machines.fleet import Fleet
from tests.durability.verdict import read_notes, read_states

SCENARIO = "the store refuses"
FULL, DAMAGED, SHREDDED, MOVED, DELETED = (
    "disk full for 5 s",
    "20 pages overwritten, restart",
    "200 pages overwritten, restart",
    "file moved away",
    "file deleted",
)
HARMS = (FULL, DAMAGED, SHREDDED, MOVED, DELETED)
DATABASE = "subscriber-sync.db"
_DISK_MEGABYTES = 120
_PAGE = 4096
_PACE = 30
_PACE_FOR_PAGES = 200  # so that there are 200 pages by then
_BEFORE_SECONDS, _AFTER_SECONDS, _FULL_SECONDS = 5, 10, 5
# Reading back a damaged file runs in the background.
_READ_BACK_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """Counts of sign-ups thanked before and after the harm, and the longest time (s) without a thanks."""

    harm: str
    before: int
    after: int
    lost_before: int
    lost_after: int
    refused: int
    silence: float


def run(folder: Path, *, seed: int, harm: str) -> Outcome:
    """Do `harm` to the data of a running app, then look for everybody who was thanked."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    fleet = Fleet(folder, DELIVERY="off", SUBSCRIBE_WAIT_SECONDS="0")
    if harm == FULL:
        mount = f"mount -t tmpfs -o size={_DISK_MEGABYTES}m none {data}"
        command = " ".join(f"'{part}'" for part in fleet.webs[0].command)
        fleet.webs[0].command = ["unshare", "-Urm", "sh", "-c", f"{mount} && exec {command}"]
    pace = _PACE_FOR_PAGES if harm == SHREDDED else _PACE
    people = pace * (_BEFORE_SECONDS + _FULL_SECONDS + _AFTER_SECONDS)
    with fleet.start(connected=False):
        if harm == FULL:
            # The file system exists in the processes' own mount namespace only.
            data = Path(f"/proc/{fleet.webs[0].pid}/root{data}")
        crowd = Crowd(fleet.bases, folder / "notes", seed, people, pace=pace, repeats=0).start()
        time.sleep(_BEFORE_SECONDS)
        before = len(crowd.thanked_at)
        _HARMS[harm](data, random.Random(seed))
        crowd.join(180)
        if harm in (DAMAGED, SHREDDED):
            # The file is examined at each start, and later in the background: the restart saves that wait.
            fleet.webs[0].end()
        names = list(read_notes(folder / "notes").values())
        thanked = [key for person in names for key in person.thanked]
        missing = _missing(thanked, data)
    early = set(_in_order(folder / "notes")[:before])
    return Outcome(
        harm,
        before,
        len(thanked) - before,
        len(missing & early),
        len(missing - early),
        crowd.refused,
        crowd.longest_silence(),
    )


def _fill(data: Path, _chance: random.Random) -> None:
    """Let another file take whatever becomes free for 5 s."""
    filler, end = data / "filler", time.monotonic() + _FULL_SECONDS
    with filler.open("wb", buffering=0) as file:
        while time.monotonic() < end:
            try:
                file.write(bytes(4096))
            except OSError:
                time.sleep(0.05)
    filler.unlink()


def overwrite(file: Path, chance: random.Random, *, pages: int, beyond: float = 0.5) -> int:
    """Fill `pages` random pages after that part of the file with garbage; return how many were eligible."""
    with file.open("r+b", buffering=0) as content:
        last = os.fstat(content.fileno()).st_size // _PAGE
        eligible = range(int(last * beyond), last)
        for page in chance.sample(eligible, min(pages, len(eligible))):
            content.seek(page * _PAGE)
            content.write(chance.randbytes(_PAGE))
    return len(eligible)


def _damage(data: Path, chance: random.Random) -> None:
    overwrite(data / DATABASE, chance, pages=20)


def _shred(data: Path, chance: random.Random) -> None:
    overwrite(data / DATABASE, chance, pages=200, beyond=0)


def _move(data: Path, _chance: random.Random) -> None:
    (data / DATABASE).rename(data / "moved-away.db")


def _delete(data: Path, _chance: random.Random) -> None:
    (data / DATABASE).unlink()


_HARMS: dict[str, Callable[[Path, random.Random], None]] = {
    FULL: _fill,
    DAMAGED: _damage,
    SHREDDED: _shred,
    MOVED: _move,
    DELETED: _delete,
}


def _in_order(notes: Path) -> list[str]:
    """Return the ids in the order of the thanks."""
    lines = [json.loads(line) for line in notes.read_text().splitlines()]
    return [line["id"] for line in lines if "thanked" in line]


def _missing(thanked: list[str], data: Path) -> set[str]:
    """Return the thanked ids without a row, after reading back has had its time."""
    end = time.monotonic() + _READ_BACK_SECONDS
    while (missing := set(thanked) - _stored(data)) and time.monotonic() < end:
        time.sleep(1)
    return missing


def _stored(data: Path) -> set[str]:
    """Return the ids in a copy of the files: SQLite cannot open a file in another mount namespace."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (DATABASE, f"{DATABASE}-wal"):
            with suppress(FileNotFoundError):
                (Path(folder) / name).write_bytes((data / name).read_bytes())
        try:
            return set(read_states(f"sqlite:///{folder}/{DATABASE}"))
        except DatabaseError:
            return set()


def figures(outcome: Outcome, *, seed: int) -> list[Figure]:
    """Return the figures for the table."""
    scenario = f"{SCENARIO}: {outcome.harm}"
    return [
        Figure(
            scenario, "seed; accepted after; tries refused", f"{seed}; {outcome.after}; {outcome.refused}"
        ),
        zero(scenario, f"of {outcome.before} accepted before, lost", outcome.lost_before),
        zero(scenario, "accepted after, lost", outcome.lost_after),
        at_most(scenario, "longest time without a thanks", round(outcome.silence, 1), 10, " s"),
    ]
