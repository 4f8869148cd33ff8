"""SQLite only: journal, pragmas, file and place."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from store.engine.database import Database
from store.engine.sqlite import driver
from store.engine.sqlite.backend import journal_for, network_file_system
from store.errors import StoreMisconfigured, StoreUnavailable
from store.signups.accept import Signups
from tests.store.conftest import accept

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /srv nfs4 rw 0 0
/dev/vdb /srv/local ext4 rw 0 0
host /home/run/my\\040app fuse.sshfs rw 0 0
proc /proc proc rw 0 0
"""


def open_file(path: Path, *, journal: str = "wal") -> Database:
    return Database(f"sqlite:///{path}", busy_timeout_seconds=0.05, journal_rule=lambda _version: journal)


def pragma(database: Database, name: str) -> object:
    with database.reading() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


@pytest.mark.parametrize(
    ("version", "journal"),
    [
        ((3, 53, 4), "wal"),
        ((3, 51, 3), "wal"),
        ((3, 51, 2), "truncate"),
        ((3, 51, 0), "truncate"),
        ((3, 50, 7), "wal"),
        ((3, 50, 6), "truncate"),
        ((3, 45, 1), "truncate"),
        ((3, 44, 6), "wal"),
        ((3, 44, 5), "truncate"),
        ((3, 40, 1), "truncate"),
    ],
)
def test_wal_only_where_its_bug_is_fixed(version: tuple[int, ...], journal: str) -> None:
    """A library with the WAL-reset bug gets the slower journal, which does not lose commits."""
    assert journal_for(version) == journal


@pytest.mark.parametrize("journal", ["wal", "truncate"])
def test_each_connection_is_durable(tmp_path: Path, journal: str) -> None:
    """Any connection, not only the first, syncs fully, keeps foreign keys and the journal mode."""
    database = open_file(tmp_path / "app.db", journal=journal)
    with database.reading(), database.reading() as second:
        found = {
            name: second.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "foreign_keys", "cell_size_check", "mmap_size", "journal_mode")
        }
        busy = second.exec_driver_sql("PRAGMA busy_timeout").scalar()
    assert found == {
        "synchronous": 2,
        "foreign_keys": 1,
        "cell_size_check": 1,
        "mmap_size": 0,
        "journal_mode": journal,
    }
    assert busy == 50
    assert pragma(database, "auto_vacuum") == 2
    assert database.description() == f"SQLite {driver.sqlite_version} (journal {journal})"
    database.close()


@pytest.mark.parametrize(("first", "later"), [("wal", "truncate"), ("truncate", "wal")])
def test_journal_mode_is_chosen_once(tmp_path: Path, first: str, later: str) -> None:
    """Another library's rule does not change the mode of a database that exists."""
    for journal in (first, later):
        database = open_file(tmp_path / "app.db", journal=journal)
        assert pragma(database, "journal_mode") == first
        database.close()


@pytest.mark.parametrize(("chosen", "flipped"), [("wal", "delete"), ("truncate", "wal")])
def test_changed_journal_mode_is_refused(tmp_path: Path, chosen: str, flipped: str) -> None:
    """A file whose journal mode somebody changed is not used until a person has looked."""
    path = tmp_path / "app.db"
    first = open_file(path, journal=chosen)
    first.prepare()
    first.close()
    stranger = driver.connect(str(path))
    stranger.execute(f"PRAGMA journal_mode = {flipped}")
    stranger.close()
    with pytest.raises(StoreMisconfigured, match="journal_mode"):
        open_file(path).prepare()
    stranger = driver.connect(str(path))
    assert stranger.execute("PRAGMA journal_mode").fetchone() == (flipped,)
    stranger.close()


def test_file_is_private(tmp_path: Path) -> None:
    """Folder and file, with personal data inside, are closed to other users."""
    database = open_file(tmp_path / "data" / "app.db")
    accept(database, "s1")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    for file in (tmp_path / "data").rglob("*"):
        assert file.stat().st_mode & 0o777 == (0o700 if file.is_dir() else 0o600), file
    database.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/app.db", "nfs4"),
        ("/srv/local/app.db", None),
        ("/srv2/app.db", None),
        ("/home/run/my app/app.db", "fuse.sshfs"),
        ("/var/app.db", None),
    ],
)
def test_network_file_systems_are_recognised(path: str, kind: str | None) -> None:
    """The innermost mount decides, by whole folder names."""
    assert network_file_system(Path(path), MOUNTS) == kind


def test_damaged_file_needs_a_person(tmp_path: Path) -> None:
    """A file that is no database is not a matter of waiting."""
    (tmp_path / "app.db").write_bytes(b"no database " * 500)
    with pytest.raises(StoreMisconfigured, match="backup"):
        open_file(tmp_path / "app.db").prepare()


def test_full_disk_is_unavailable_and_recovers(tmp_path: Path) -> None:
    """A sign-up that finds no room is refused, and accepted once there is room again."""
    database = open_file(tmp_path / "app.db")
    database.prepare()
    pages = pragma(database, "page_count")
    pragma(database, f"max_page_count = {pages}")

    def fill() -> None:
        for index in range(100):
            accept(database, f"s{index}")

    with pytest.raises(StoreUnavailable, match="full"):
        fill()
    pragma(database, "max_page_count = 1000000")
    accept(database, "later")
    database.close()


def test_read_only_file_is_unavailable(tmp_path: Path) -> None:
    """A file this user may not write is noticed by the probe."""
    path = tmp_path / "app.db"
    database = open_file(path, journal="truncate")
    database.probe()
    database.close()
    script = (
        f"import sys; sys.path.insert(0, {str(Path.cwd())!r})\n"
        "import os\nfrom store.engine.database import Database\nfrom store.errors import StoreUnavailable\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"  # root may write anything
        "try: Database(sys.argv[1]).probe()\n"
        "except StoreUnavailable as error: print(error)\n"
    )
    for file in tmp_path.iterdir():
        file.chmod(0o444)
    (tmp_path / "app.db-migration-lock").chmod(0o666)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{path}"], capture_output=True, text=True, check=True
    )
    assert "readonly" in done.stdout


def test_missing_permission_for_the_folder_is_unavailable(tmp_path: Path) -> None:
    """Where the folder cannot be created the message names it."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="file"):
        open_file(tmp_path / "file" / "app.db").prepare()


def test_standard_library_can_read_the_file(tmp_path: Path) -> None:
    """A back-up or a look with Python's own SQLite works on the truncate journal."""
    database = open_file(tmp_path / "app.db", journal="truncate")
    accept(database, "s1")
    database.close()
    reader = sqlite3.connect(tmp_path / "app.db")
    assert reader.execute("SELECT id FROM signups").fetchall() == [("s1",)]
    reader.close()


READER = """
import sqlite3, sys
backup = sqlite3.connect(sys.argv[1], isolation_level=None)
backup.execute("BEGIN")
backup.execute("SELECT * FROM meta").fetchall()
print("reads", flush=True)
sys.stdin.read()
"""


def test_a_commit_that_had_to_give_up_leaves_nothing_behind(tmp_path: Path) -> None:
    """A backup reads for long: the rollback journal cannot end, and SQLite stays in the transaction."""
    database, other = (open_file(tmp_path / "app.db", journal="truncate") for _ in range(2))
    database.prepare()
    command = [sys.executable, "-c", READER, str(tmp_path / "app.db")]
    # A process of its own: within one, SQLite's locks are the same for all.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as backup:
        assert backup.stdout is not None
        assert backup.stdout.readline() == "reads\n"
        with pytest.raises(StoreUnavailable, match="locked"):
            accept(database, "s1")
        assert Signups(database).find("s1") is None
        backup.communicate()
    accept(other, "s2")
    assert Signups(other).find("s1") is None
    database.close()
    other.close()
