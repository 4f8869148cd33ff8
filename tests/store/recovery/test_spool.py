"""The spool: sign-ups that the database refused are kept in a file and imported later, exactly once."""

import resource
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from store.engine.database import Database
from store.engine.files import flocked
from store.engine.sqlite.disk_reserve import DiskReserve
from store.errors import SpoolFirst, StoreUnavailable
from store.recovery.spool import Spool
from store.recovery.spool_import import Imported, SpoolImport
from store.signups.accept import Signups
from store.signups.batch import PROVEN, UNSURE
from store.signups.suspected import SuspectedSignups
from tests.store.conftest import accept, signup

PAYLOAD = {"email_address": "ada@example.org"}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def keep(spool: Spool, name: str) -> None:
    spool.keep(signup(name), kind="sign_up", payload=PAYLOAD)


def ids(database: Database) -> list[str]:
    with database.reading() as connection:
        query = "SELECT s.id FROM signups s JOIN deliveries d ON d.source_id = s.id WHERE d.state = 'ready'"
        return sorted(connection.exec_driver_sql(query).scalars())


def waiting(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "waiting"


def test_a_spooled_sign_up_becomes_what_it_would_have_been(database: Database, spool: Spool) -> None:
    """Every column of the sign-up and of its delivery is the one that a direct way would have stored."""
    spool.keep(signup("s1", at=7), kind="sign_up", payload={"signup": "direct", "nested": [1]})
    assert SpoolImport(database, spool).run().signups == 1
    Signups(database).accept(
        signup("direct", contact="s1@example.org", at=7),
        kind="sign_up",
        payload={"signup": "direct", "nested": [1]},
    )
    with database.reading() as connection:
        for table, key in (("signups", "id"), ("deliveries", "source_id")):
            query = f"SELECT * FROM {table} ORDER BY {key}"
            direct, spooled = (dict(row) for row in connection.exec_driver_sql(query).mappings())
            differing = {name for name in direct if direct[name] != spooled[name]}
            assert differing == {key} | ({"id"} if table == "deliveries" else set())


def test_an_import_leaves_nothing_behind(database: Database, spool: Spool, tmp_path: Path) -> None:
    """The file is gone, the next import finds nothing to do, and the folder is the owner's alone."""
    keep(spool, "s1")
    assert waiting(tmp_path).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert spool.waits()
    assert (spool.count(), spool.holds("s1"), spool.holds("s")) == (1, True, False)
    SpoolImport(database, spool).run()
    assert not spool.waits()
    assert (spool.count(), spool.damaged(), spool.holds("s1")) == (0, 0, False)
    assert SpoolImport(database, spool).run().signups == 0


def test_known_sign_ups_are_not_stored_twice(database: Database, spool: Spool) -> None:
    """A commit whose answer was lost has stored the sign-up already; the spooled copy changes nothing."""
    accept(database, "s1")
    keep(spool, "s1")
    keep(spool, "s2")
    assert SpoolImport(database, spool).run() == Imported(signups=2, damaged=0)
    assert ids(database) == ["s1", "s2"]


def test_a_store_that_is_still_away_leaves_the_spool_as_it_was(spool: Spool) -> None:
    """Nothing is removed before the commit; a later import finds everything."""
    keep(spool, "s1")
    away = Database("postgresql://u:p@127.0.0.1:1/nothing")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            SpoolImport(away, spool).run()
        assert (spool.count(), spool.holds("s1")) == (1, True)
    keep(spool, "s2")
    assert spool.count() == 2


def test_damaged_lines_are_kept_and_the_others_imported(
    database: Database, spool: Spool, tmp_path: Path
) -> None:
    """One flipped letter is noticed; the line stays for a person, and is counted."""
    for name in ("s1", "s2", "s3"):
        keep(spool, name)
    content = waiting(tmp_path).read_bytes().split(b"\n")
    content[1] = content[1].replace(b"Lovelace", b"Lovelqce")
    waiting(tmp_path).write_bytes(b"\n".join(content))
    imported = SpoolImport(database, spool).run()
    assert (imported.signups, imported.damaged) == (2, 1)
    assert ids(database) == ["s1", "s3"]
    assert (spool.damaged(), spool.waits()) == (1, False)
    (kept,) = (tmp_path / "spool").glob("damaged-*")
    assert kept.read_bytes() == content[1] + b"\n"


def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(
    database: Database, spool: Spool
) -> None:
    """It is kept as damaged, since no later attempt can succeed; the rows around it are imported."""
    keep(spool, "s1")
    nobody = replace(signup("bad"), email=cast("str", None))
    spool.keep(nobody, kind="sign_up", payload=PAYLOAD)
    keep(spool, "s2")
    imported = SpoolImport(database, spool).run()
    assert (imported.signups, imported.damaged) == (2, 1)
    assert ids(database) == ["s1", "s2"]


@pytest.mark.parametrize("committed", [True, False])
def test_an_import_that_was_cut_off_is_taken_up_again(
    database: Database, spool: Spool, tmp_path: Path, committed: bool
) -> None:
    """Killed after the file was set aside, before the commit or after it: nothing is lost or doubled."""
    keep(spool, "s1")
    content = waiting(tmp_path).read_bytes()
    if committed:
        SpoolImport(database, spool).run()
    else:
        waiting(tmp_path).unlink()
    (tmp_path / "spool" / "importing-1-1").write_bytes(content)
    keep(spool, "s2")
    assert (spool.count(), spool.holds("s1")) == (2, True)
    SpoolImport(database, spool).run()
    assert ids(database) == ["s1", "s2"]
    assert not spool.waits()


def test_a_line_cut_off_by_a_crash_does_not_spoil_the_next(
    database: Database, spool: Spool, tmp_path: Path
) -> None:
    """Half a line was never acknowledged; the line after it is complete."""
    keep(spool, "s1")
    with waiting(tmp_path).open("ab") as file:
        file.write(b'cut-off 12345678 {"signup": {"id"')
    keep(spool, "s2")
    imported = SpoolImport(database, spool).run()
    assert (imported.signups, imported.damaged) == (2, 1)
    assert ids(database) == ["s1", "s2"]


def test_a_spool_that_is_full_takes_nothing_more(tmp_path: Path) -> None:
    """The bound counts everything in the folder, damaged lines too, and undoes nothing that was taken."""
    small = Spool(tmp_path / "spool", largest_bytes=2_000)
    keep(small, "s1")

    def fill() -> None:
        for index in range(10):
            keep(small, f"more-{index}")

    with pytest.raises(StoreUnavailable, match="2000 bytes"):
        fill()
    assert waiting(tmp_path).stat().st_size <= 2_000
    assert small.holds("s1")


def test_a_nearly_full_disk_takes_nothing_more(tmp_path: Path) -> None:
    """The rest of the disk is for finishing what is accepted."""
    nearly_full = DiskReserve(tmp_path, full_bytes=2**60)
    with pytest.raises(StoreUnavailable, match="nearly full"):
        keep(Spool(tmp_path / "spool", disk=nearly_full), "s1")


def test_a_line_for_which_there_is_no_room_is_taken_back(spool: Spool, tmp_path: Path) -> None:
    """A write that stops in the middle is not acknowledged, and what it left is removed."""
    keep(spool, "s1")
    before = waiting(tmp_path).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(StoreUnavailable):
            keep(spool, "s2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert waiting(tmp_path).read_bytes() == before


def test_the_folders_are_synced_before_the_first_line(tmp_path: Path) -> None:
    """A file is lost with its name: first the folders are synced, then the line, then the answer is sent."""
    script = textwrap.dedent(
        f"""
        import os, sys
        sys.path.insert(0, {str(Path.cwd())!r})
        done = []
        fsync, write = os.fsync, os.write
        def note(what, descriptor):
            done.append(what + " " + os.path.basename(os.readlink(f"/proc/self/fd/{{descriptor}}")))
        os.fsync = lambda descriptor: (note("sync", descriptor), fsync(descriptor))[1]
        os.write = lambda descriptor, data: (note("write", descriptor), write(descriptor, data))[1]
        from pathlib import Path
        from store.recovery.spool import Spool
        from tests.store.conftest import signup
        spool = Spool(Path({str(tmp_path)!r}) / "data" / "spool")
        for name in ("s1", "s2"):
            spool.keep(signup(name), kind="sign_up", payload={{}})
            done.append("thanks")
        print(*done, sep="\\n")
        """
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    first = ["sync spool", "sync data", "write waiting", "sync waiting", "thanks"]
    assert told == [*first, *first[2:]]


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from store.recovery.spool import Spool
from tests.store.conftest import in_threads, signup
spool = Spool(Path(sys.argv[2]))
def work(thread):
    for n in range(10):
        spool.keep(signup(f"{sys.argv[3]}-{thread}-{n}"), kind="sign_up", payload={})
in_threads(4, work)
"""


def test_writers_and_importers_at_once_lose_nothing(database: Database, tmp_path: Path) -> None:
    """Threads of several processes append while two import: every line arrives, each whole."""
    folder, ended, damaged = tmp_path / "spool", threading.Event(), list[int]()

    def bring_in() -> None:
        own = SpoolImport(database, Spool(folder))
        while not ended.is_set():
            damaged.append(own.run().damaged)

    importers = [threading.Thread(target=bring_in) for _ in range(2)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(Path.cwd()), str(folder), name])
        for name in ("a", "b")
    ]
    for importer in importers:
        importer.start()
    codes = [writer.wait(60) for writer in writers]
    ended.set()
    for importer in importers:
        importer.join()
    assert codes == [0, 0]
    assert sum(damaged) + SpoolImport(database, Spool(folder)).run().damaged == 0
    assert len(ids(database)) == 80


def test_a_file_that_is_gone_since_it_was_listed_refuses_nobody(spool: Spool, tmp_path: Path) -> None:
    """An importer may remove it while the sizes are added up; here a dangling link stands for it."""
    keep(spool, "s1")
    (tmp_path / "spool" / "importing-1").symlink_to(tmp_path / "gone")
    keep(spool, "s2")
    assert spool.count() == 2


def test_a_frozen_writer_does_not_hold_up_the_others_for_ever(spool: Spool, tmp_path: Path) -> None:
    """A writer that does not get the lock in time gets an error instead of hanging."""
    keep(spool, "s1")
    times = iter([0.0, 1.0, 3.0])
    impatient = Spool(tmp_path / "spool", monotonic=lambda: next(times))
    with flocked(tmp_path / "spool" / "lock", seconds=0) as ours:
        assert ours
        with pytest.raises(StoreUnavailable, match="held"):
            keep(impatient, "s2")
    keep(spool, "s3")
    assert (spool.holds("s2"), spool.holds("s3")) == (False, True)


def test_the_check_writes_and_leaves_nothing(spool: Spool, tmp_path: Path) -> None:
    """The check writes and syncs a file, to know whether a sign-up could be kept."""
    spool.check()
    assert not spool.waits()
    assert {file.name for file in (tmp_path / "spool").iterdir()} == {"lock"}
    with pytest.raises(StoreUnavailable):
        Spool(tmp_path / "spool" / "lock" / "no-folder").check()


def test_nothing_is_stored_before_what_waits_in_the_spool(database: Database, spool: Spool) -> None:
    """The look is part of the transaction, so no other process can store in between."""
    signups = Signups(database, spooled=spool.waits)
    keep(spool, "s1")
    with pytest.raises(SpoolFirst):
        signups.accept(signup("s2"), kind="sign_up", payload=PAYLOAD)
    assert ids(database) == []
    SpoolImport(database, spool).run()
    signups.accept(signup("s2"), kind="sign_up", payload=PAYLOAD)
    assert ids(database) == ["s1", "s2"]


def test_suspected_ones_have_a_tenth_of_the_spool(database: Database, tmp_path: Path) -> None:
    """A flood while the store is away leaves the rest to people; a solved captcha has all of it."""
    spool = Spool(tmp_path / "spool", largest_bytes=100_000)

    def keep_suspected(name: str, *, rank: int = UNSURE) -> bool:
        broken = ("honeypot",)
        return spool.keep(signup(name), kind="sign_up", payload=PAYLOAD, broken=broken, rank=rank)

    kept = [name for name in (f"s{number}" for number in range(50)) if keep_suspected(name)]
    assert 0 < sum(file.stat().st_size for file in (tmp_path / "spool").iterdir()) <= 10_000
    assert 5 < len(kept) < 50
    assert keep_suspected("proven", rank=PROVEN)
    keep(spool, "person")
    assert spool.holds("person")
    assert spool.holds(kept[0])
    assert spool.count() == len(kept) + 2
    SpoolImport(database, spool).run()
    assert ids(database) == ["person"]
    assert {suspect.id for suspect in SuspectedSignups(database).waiting(100)} == {*kept, "proven"}
    assert not spool.waits()


def test_on_a_nearly_full_disk_only_people_are_spooled(tmp_path: Path) -> None:
    """A flood takes nothing of the last room on the disk, of which a person is warned."""
    spool = Spool(tmp_path / "spool", disk=DiskReserve(tmp_path, low_bytes=2**60, full_bytes=1))
    assert not spool.keep(signup("s1"), kind="sign_up", payload=PAYLOAD, broken=("honeypot",))
    keep(spool, "person")
    assert spool.count() == 1
