"""Room on the disk: measured, kept for accepted sign-ups, and released when there is none."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from store.engine.database import Database
from store.engine.sqlite.disk_reserve import DiskReserve
from tests.store.conftest import accept

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def may_mount() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_the_ballast_takes_real_room_and_gives_it_back(tmp_path: Path) -> None:
    """It is written, not only truncated to its size; once released, it is written again if there is room."""
    disk = DiskReserve(tmp_path / "data", low_bytes=0, ballast_bytes=2**20)
    disk.fill()
    ballast = tmp_path / "data" / "ballast"
    assert ballast.stat().st_blocks * 512 >= 2**20
    assert ballast.stat().st_mode & 0o777 == 0o600
    assert disk.release()
    assert not ballast.exists()
    assert not disk.release()
    disk.fill()
    assert ballast.exists()


def test_without_ample_room_there_is_no_ballast(tmp_path: Path) -> None:
    """The ballast itself must not fill the disk."""
    disk = DiskReserve(tmp_path, low_bytes=2**60)
    disk.fill()
    assert list(tmp_path.iterdir()) == []
    assert disk.low()
    assert not disk.full()
    assert DiskReserve(tmp_path, full_bytes=2**60).full()


FULL_DISK = textwrap.dedent(
    """
    import subprocess, sys
    from pathlib import Path
    folder, journal = Path(sys.argv[1]), sys.argv[2]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], check=True)
    sys.path.insert(0, sys.argv[3])
    from store.engine.database import Database
    from store.engine.sqlite.disk_reserve import DiskReserve
    from store.errors import StoreError, StoreUnavailable
    from store.outbox.deliveries import Deliveries
    from store.recovery.spool import Spool
    from store.recovery.spool_import import SpoolImport
    from tests.store.conftest import accept, signup

    database = Database(f"sqlite:///{folder}/app.db", journal_rule=lambda _: journal)
    database._backend._disk = DiskReserve(folder, low_bytes=0, full_bytes=0, ballast_bytes=2 * 2**20)
    spool = Spool(folder / "spool", disk=DiskReserve(folder, full_bytes=0))
    deliveries = Deliveries(database)
    thanked = []

    def take(name):
        try:
            accept(database, name)
        except StoreError as error:
            spool.keep(signup(name), kind="sign_up", payload={})
        thanked.append(name)

    def refused(work):
        try:
            work()
        except StoreUnavailable as error:
            return type(error).__name__
        return "nothing"

    take("first")
    database.tidy(idle=True)
    assert (folder / "ballast").exists()
    claimed = deliveries.claim(86_400_000)
    filler = (folder / "filler").open("wb", buffering=0)
    def fill():
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass

    fill()
    for number in range(2_000):  # until the rest of the pages is taken
        if not (folder / "ballast").exists():
            break
        take(f"a{number}")
    else:
        raise AssertionError("the disk did not fill")
    print("ballast released")
    fill()
    number = 0
    try:
        while True:
            take(f"b{number}")
            fill()
            number += 1
    except StoreUnavailable as error:
        print("insert and spool refused", type(error).__name__)
    print("probe", refused(database.probe))
    print("finish", refused(lambda: deliveries.delivered(claimed, now=1, contact_id="c", action="created")))
    print("claim", refused(lambda: deliveries.claim(86_500_000)))
    (folder / "filler").unlink()
    filler.close()
    print("afterwards", refused(database.probe), refused(lambda: take("last")))
    SpoolImport(database, spool).run()
    with database.reading() as connection:
        stored = set(connection.exec_driver_sql("SELECT id FROM signups").scalars())
        print("integrity", connection.exec_driver_sql("PRAGMA integrity_check").scalar())
    print("lost", set(thanked) - stored)
    database.close()
    """
)


@pytest.mark.parametrize("journal", ["wal", "truncate"])
def test_a_full_disk_costs_no_acknowledged_sign_up(tmp_path: Path, journal: str) -> None:
    """Insert, claim, finish, probe and spool fail honestly, and work again as soon as there is room."""
    if not may_mount():
        pytest.skip("this system allows no mounts in a user namespace")
    told = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", FULL_DISK, str(tmp_path), journal, str(Path.cwd())],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = [line for line in told.stdout.splitlines() if "[" not in line]
    assert lines == [
        "ballast released",
        "insert and spool refused StoreUnavailable",
        "probe StoreFull",
        "finish StoreFull",
        "claim StoreFull",
        "afterwards nothing nothing",
        "integrity ok",
        "lost set()",
    ], told.stdout[-2000:] + told.stderr[-2000:]


def test_a_nearly_full_disk_has_no_room_for_sign_ups(tmp_path: Path) -> None:
    """The intake asks before it stores."""
    now = 0.0
    database = Database(f"sqlite:///{tmp_path}/app.db", monotonic=lambda: now)
    accept(database, "s1")
    assert database.has_room()
    roomy, full = database._backend._disk, DiskReserve(tmp_path, full_bytes=2**60)  # type: ignore[union-attr]
    database._backend._disk = full  # type: ignore[union-attr]
    now = 0.1  # until then the last answer is valid
    assert not database.has_room()
    database._backend._disk = roomy  # type: ignore[union-attr]
    assert database.has_room()
    database.close()
