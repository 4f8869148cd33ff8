"""Cut the power at the moment of each acknowledgement, on a disk that keeps only what was synced."""

import os
import random
import re
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from store.engine.database import Database
from store.engine.sqlite import driver
from tests.durability.crowd import Crowd
from tests.durability.figures import Figure, zero
from tests.durability.machines.disk import Disk, Replay
from tests.durability.machines.fleet import Fleet, Supervised
from tests.durability.machines.strace import traced
from tests.durability.verdict import read_notes
from tests.support.ports import free_port

SCENARIO = "power cut"
DATABASE = "subscriber-sync.db"
APPLICATION = "app:create_app()"
CARELESS = "tests.durability.careless:sqlite_normal()"
_THANKED = re.compile(rb'"id": ?"([0-9a-f-]{36})"')
SPOOL = "spool"
_SPOOLED = re.compile(rb"^([0-9a-f-]{36}) .*\n", re.MULTILINE)


@dataclass
class Cuts:
    """How many disks were looked at, and on which of them a thanked sign-up was missing, or damage."""

    acknowledged: int = 0
    cuts: int = 0
    lost: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    unlike_the_disk: list[str] = field(default_factory=list)


def run(
    folder: Path, *, seed: int, people: int, journal: str, application: str = APPLICATION, threads: int = 4
) -> Cuts:
    """Serve `people` under strace, then cut the power at each thanks: strictly, and with a random half.

    `journal` is the mode of the database file, since the app keeps what it finds; or SPOOL, when the database
    is at an address where nobody listens. Delivery is off: what is judged is the acknowledgement.
    """
    data = folder / "data"
    data.mkdir(mode=0o700)
    if journal == SPOOL:
        url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    else:
        url = f"sqlite:///{data / DATABASE}"
        database = Database(url, journal_rule=lambda _: journal)
        database.prepare()
        database.close()
    disk, trace = Disk(data), folder / "trace"
    fleet = Fleet(folder, database_url=url, DELIVERY="off", SUBSCRIBE_WAIT_SECONDS="0")
    web = fleet.webs[0]
    web.command = [str(part) for part in traced([*web.command[:-1], application], trace)]
    with fleet.start(connected=False):
        Crowd(fleet.bases, folder / "notes", seed, people, threads=threads, repeats=0).start().join(300)
        fleet.leave_alone()
        _end_traced(web)
    thanked = {key for person in read_notes(folder / "notes").values() for key in person.thanked}
    return cut_at_each_thanks(disk, trace, thanked, random.Random(seed))


def cut_at_each_thanks(disk: Disk, trace: Path, thanked: set[str], chance: random.Random) -> Cuts:
    """Replay the trace; at each thanks look for every sign-up thanked for so far."""
    found, before = Cuts(), set[str]()
    for sent in Replay(disk).run(trace):
        new = {match.decode() for match in _THANKED.findall(sent)} & thanked - before
        if not new:
            continue
        before |= new
        found.acknowledged += len(new)
        for kind, files in (("strict", disk.after_cut()), ("random", disk.after_cut(chance))):
            found.cuts += 1
            present, fault = _look(files, disk.root)
            if fault:
                found.damaged.append(f"after {found.acknowledged}, {kind}: {fault}")
            if before - present:
                found.lost.append(f"after {found.acknowledged}, {kind}: {len(before - present)} missing")
    for path, content in disk.now().items():
        real = Path(path)
        if not real.is_dir() and (not real.exists() or real.read_bytes() != content):
            found.unlike_the_disk.append(real.name)
    found.lost += [f"{key}: never seen in the trace" for key in thanked - before]
    return found


def _look(files: Mapping[str, bytes], root: Path) -> tuple[set[str], str]:
    """Return the sign-ups in these files of database and spool, and what is damaged in the database."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        spooled: set[str] = set()
        for path, content in files.items():
            place = Path(folder) / Path(path).relative_to(root)
            if place.parent == Path(folder) and place.name.startswith(DATABASE):
                place.write_bytes(content)
            elif SPOOL in place.parts:
                spooled |= {key.decode() for key in _SPOOLED.findall(content)}
        if str(root / DATABASE) not in files:
            return spooled, ""
        connection = driver.connect(Path(folder) / DATABASE)
        try:
            fault = connection.execute("PRAGMA integrity_check").fetchone()[0]
            rows = connection.execute(
                "SELECT source_id FROM deliveries JOIN signups ON signups.id = source_id"
            )
            return {key for (key,) in rows} | spooled, "" if fault == "ok" else fault
        except driver.DatabaseError as error:
            return spooled, str(error)
        finally:
            connection.close()


def _end_traced(web: Supervised) -> None:
    """Stop the gunicorn below strace, and let strace finish its file."""
    for gunicorn in web.children():
        os.kill(gunicorn, signal.SIGTERM)
    web.wait()


def figures(found: Cuts, *, journal: str, seed: int) -> list[Figure]:
    """Return the figures for the table."""
    scenario = f"{SCENARIO}, {journal}"
    return [
        Figure(
            scenario, "seed; acknowledgements; disks looked at", f"{seed}; {found.acknowledged}; {found.cuts}"
        ),
        zero(scenario, "disks on which an acknowledged sign-up is missing", len(found.lost)),
        zero(scenario, "disks with a damaged database", len(found.damaged)),
        zero(scenario, "files that the replay got wrong", len(found.unlike_the_disk)),
    ]


def figures_of_careless(found: Cuts, *, seed: int) -> list[Figure]:
    """Return the figure of the self-test: without a sync of each commit, the same look must find losses."""
    return [
        Figure(
            f"{SCENARIO}, wal with synchronous=NORMAL (self-test)",
            f"seed {seed}: disks on which an acknowledged sign-up is missing",
            f"{len(found.lost)} of {found.cuts}",
            "> 0",
            len(found.lost) > 0,
        )
    ]
