"""A SQLite file that is damaged or removed while it is in use: noticed, replaced, and read back."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from store.engine.sqlite import driver
from store.engine.statements import insert_unknown
from store.errors import StoreMisconfigured, StoreUnavailable
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.quota.ledger import QuotaLedger
from store.recovery.salvage import Salvage
from store.schema.columns import metadata
from store.signups.accept import NewSignup, Signups
from tests.store.conftest import accept, connect, opening, signup

PAGE = 4096
ROWS = 250


class DatabaseInUse:
    """A database with rows in it, in use by one process."""

    def __init__(self, path: Path, journal: str) -> None:
        self.path = path
        self.journal = journal
        self.database = self.open()
        self.salvage = Salvage(self.database, path, restore=payload_of)

    def open(self) -> Database:
        return Database(
            f"sqlite:///{self.path}", busy_timeout_seconds=1, journal_rule=lambda _version: self.journal
        )

    def fill(self, count: int = ROWS) -> None:
        """Store rows in one transaction, which is fast enough for a test."""
        accept(self.database, name(0))
        with self.database.transaction() as connection:
            for index in range(1, count):
                for table in ("signups", "deliveries"):
                    insert_unknown(connection, metadata.tables[table], row_of(table, index))

    def in_file(self) -> None:
        """Checkpoint the log into the file, and close the database."""
        self.database.close()

    def ids(self) -> set[str]:
        with self.database.reading() as connection:
            query = "SELECT s.id FROM signups s JOIN deliveries d ON d.source_id = s.id"
            return set(connection.exec_driver_sql(query).scalars())


def row_of(table: str, index: int) -> dict[str, Any]:
    new, payload = signup(name(index)), json.dumps({"email_address": f"{name(index)}@example.org"})
    if table == "signups":
        documents = {"person": json.dumps(dict(new.person)), "list_ids": json.dumps(new.list_ids)}
        return vars(new) | documents
    return {
        "source_id": new.id,
        "received_at": 0,
        "due_at": 0,
        "contact_key": new.contact_key,
        "kind": "sign_up",
        "payload": payload,
        "state": "ready",
        "fence": 0,
        "attempts": 0,
    }


def payload_of(signup: NewSignup) -> dict[str, Any]:
    return {"email_address": signup.email}


def name(index: int) -> str:
    return f"s{index:05}"


ALL = {name(index) for index in range(ROWS)}


@pytest.fixture(params=["wal", "truncate"])
def in_use(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseInUse]:
    in_use = DatabaseInUse(tmp_path / "app.db", request.param)
    yield in_use
    in_use.database.close()


def overwrite(path: Path, at: int, content: bytes) -> None:
    """Write into the file from another process: closing it in ours would drop SQLite's locks."""
    script = (
        "import sys; f = open(sys.argv[1], 'r+b'); f.seek(int(sys.argv[2])); f.write(sys.stdin.buffer.read())"
    )
    subprocess.run([sys.executable, "-c", script, str(path), str(at)], input=content, check=True)


def middle(path: Path) -> int:
    return path.stat().st_size // PAGE // 2


def garbage_in_the_middle(path: Path) -> None:
    overwrite(path, middle(path) * PAGE, os.urandom(5 * PAGE))


def cut_in_half(path: Path) -> None:
    os.truncate(path, middle(path) * PAGE + 100)


def zero_header(path: Path) -> None:
    overwrite(path, 0, bytes(100))


def zero_first_page(path: Path) -> None:
    overwrite(path, 0, bytes(PAGE))


def no_database(path: Path) -> None:
    overwrite(path, 0, b"no database " * 30_000)


def empty(path: Path) -> None:
    os.truncate(path, 0)


DAMAGES = [garbage_in_the_middle, cut_in_half, zero_header, zero_first_page, no_database, empty]


# How many rows come back at least: page 1 can be repaired completely, and half a file has half the rows.
LEAST_BACK = {"zero_header": ROWS, "zero_first_page": ROWS, "garbage_in_the_middle": ROWS - 100}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_and_what_is_left_is_read_back(
    in_use: DatabaseInUse, damage: Callable[[Path], None]
) -> None:
    """The next examination finds it; sign-ups are accepted again at once, and the readable rows come back."""
    in_use.fill()
    in_use.in_file()
    damage(in_use.path)
    in_use.database.look_for_damage()
    assert in_use.salvage.waits()
    accept(in_use.database, "new")
    (told,) = in_use.salvage.run()
    lost = ROWS - len(in_use.ids() & ALL)
    assert told.unreadable is None or lost <= told.unreadable
    assert ROWS - lost >= LEAST_BACK.get(damage.__name__, 0)
    assert (in_use.salvage.last(), in_use.salvage.waits(), in_use.salvage.run()) == (told, False, [])
    assert "new" in in_use.ids()
    with in_use.database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []


def test_a_sound_file_stays(in_use: DatabaseInUse) -> None:
    """Looking for damage changes nothing where there is none, also while somebody writes."""
    in_use.fill(10)
    with in_use.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM meta WHERE key = 'probe'")
        assert not DatabaseInUse(in_use.path, in_use.journal).database._backend.damaged()
    in_use.database.look_for_damage()
    assert not in_use.salvage.waits()
    assert len(in_use.ids()) == 10


def test_a_violated_constraint_is_no_damage(in_use: DatabaseInUse) -> None:
    """A row that breaks a rule is a bug's, not the disk's: the file stays in use."""
    accept(in_use.database, "s1")
    with in_use.database.transaction() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("UPDATE deliveries SET state = 'odd'")
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")
    in_use.database.look_for_damage()
    assert not in_use.salvage.waits()


@pytest.mark.parametrize("damage", [zero_header, empty])
def test_damage_is_noticed_at_the_start(in_use: DatabaseInUse, damage: Callable[[Path], None]) -> None:
    """A process that finds a damaged file starts with a new one; an empty file alone is taken for new."""
    in_use.fill()
    in_use.in_file()
    damage(in_use.path)
    again = DatabaseInUse(in_use.path, in_use.journal)
    accept(again.database, "new")
    assert again.salvage.waits() == (damage is not empty)
    assert again.ids() == {"new"}
    again.database.close()


def test_a_file_that_was_never_ours_is_left_alone(tmp_path: Path) -> None:
    """With a wrong path in DATABASE_URL, a file of another program must not be moved."""
    (tmp_path / "app.db").write_bytes(b"no database " * 500)
    database = DatabaseInUse(tmp_path / "app.db", "wal").database
    with pytest.raises(StoreMisconfigured, match="DATABASE_URL"):
        database.prepare()
    assert (tmp_path / "app.db").read_bytes() == b"no database " * 500


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        if not file.match("*lock*"):
            file.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def move_all(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        file.rename(path.parent / "elsewhere" / file.name)


def restore_a_copy(path: Path) -> None:
    """Do as a person who puts a backup in place without stopping the app."""
    path.rename(path.with_name("elsewhere.db"))
    shutil.copy(path.with_name("backup.db"), path)


@pytest.mark.parametrize("take_away", [delete, delete_all, move, move_all, restore_a_copy])
def test_a_file_taken_away_in_use_loses_nothing(
    in_use: DatabaseInUse, take_away: Callable[[Path], None]
) -> None:
    """Every acknowledged sign-up comes back out of the open connection, and work goes on at once."""
    in_use.fill(20)
    in_use.in_file()
    shutil.copy(in_use.path, in_use.path.with_name("backup.db"))
    for index in range(20, 40):
        accept(in_use.database, name(index))
    take_away(in_use.path)
    accept(in_use.database, "new")
    in_use.salvage.run()
    assert in_use.ids() == {name(index) for index in range(40)} | {"new"}
    assert not in_use.salvage.waits()
    with in_use.database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_a_commit_into_a_file_that_is_gone_is_not_acknowledged(in_use: DatabaseInUse) -> None:
    """Deleted in the middle of a transaction, the file takes a commit that nobody will find."""
    accept(in_use.database, "s1")

    def store() -> None:
        with in_use.database.transaction() as connection:
            connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('a', 'b')")
            in_use.path.unlink()

    with pytest.raises(StoreUnavailable):
        store()
    accept(in_use.database, "s2")


def test_other_processes_meet_the_new_file(in_use: DatabaseInUse) -> None:
    """A file that one process set aside is left by the others at their next use; none writes into the old."""
    in_use.fill(20)
    other = DatabaseInUse(in_use.path, in_use.journal)
    assert len(other.ids()) == 20
    in_use.in_file()
    garbage_in_the_middle(in_use.path)
    in_use.database.look_for_damage()
    assert in_use.salvage.waits()
    accept(in_use.database, "new")
    accept(other.database, "other")
    assert in_use.ids() >= {"new", "other"}
    assert len(list(in_use.path.parent.glob("*.damaged-*[0-9]"))) == 1
    assert len(other.salvage.run()) == 1
    assert in_use.salvage.run() == []
    other.database.close()


def test_a_log_deleted_in_use_loses_nothing(tmp_path: Path) -> None:
    """What was committed into it comes back out of the open connection."""
    in_use = DatabaseInUse(tmp_path / "app.db", "wal")
    in_use.fill(20)
    for suffix in ("-wal", "-shm"):
        in_use.path.with_name(in_use.path.name + suffix).unlink()
    accept(in_use.database, "new")
    in_use.salvage.run()
    look = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT id FROM signups'))"
    told = subprocess.run(
        [sys.executable, "-c", look, str(in_use.path)], capture_output=True, text=True, check=True
    )
    # In another process: this one would read on in the deleted log, which it has open.
    assert told.stdout.count("'s0") == 20
    assert "'new'" in told.stdout
    in_use.database.close()


def test_a_log_that_ends_with_its_last_connection_is_no_alarm(tmp_path: Path) -> None:
    """SQLite deletes the log when the last connection closes; the next use goes on without a copy."""
    in_use = DatabaseInUse(tmp_path / "app.db", "wal")
    in_use.fill(3)
    in_use.in_file()
    assert not in_use.path.with_name("app.db-wal").exists()
    accept(in_use.database, "new")
    assert not in_use.salvage.waits()
    in_use.database.close()


def test_tokens_quota_and_numbering_are_carried_over_before_the_first_use(in_use: DatabaseInUse) -> None:
    """Otherwise a new file would grant the day's calls twice, and ask for a new consent."""
    connect(OAuthConnections(in_use.database))
    quota = QuotaLedger(in_use.database)
    for moment in range(3):
        assert opening(quota, 86_400_000 + moment) is None
    in_use.fill(20)
    before, kept = OAuthConnections(in_use.database).read(), quota.read()
    in_use.in_file()
    zero_header(in_use.path)
    in_use.database.look_for_damage()
    assert in_use.salvage.waits()
    assert OAuthConnections(in_use.database).read() == before
    assert quota.read() == kept
    accept(in_use.database, "new", contact=f"{name(1)}@example.org")
    (told,) = in_use.salvage.run()
    assert told.connection
    claimed = Deliveries(in_use.database).claim(2 * 86_400_000)
    assert isinstance(claimed, Claimed)
    assert claimed.source_id == name(0)
    with in_use.database.reading() as connection:
        query = "SELECT source_id FROM deliveries WHERE contact_key = 's00001@example.org' ORDER BY id"
        assert list(connection.exec_driver_sql(query).scalars()) == [name(1), "new"]


def test_a_consent_given_since_is_not_undone(in_use: DatabaseInUse) -> None:
    """A salvage never puts older tokens over newer ones."""
    in_use.fill(3)
    connect(OAuthConnections(in_use.database))
    in_use.in_file()
    shutil.copy(in_use.path, in_use.path.with_name("app.db.damaged-20260101-000000-1"))
    connections = OAuthConnections(in_use.database)
    connect(connections)
    now = connections.read()
    assert now.generation == 2
    in_use.salvage.run()
    assert connections.read() == now


@pytest.mark.parametrize(("table", "state"), [("deliveries", "parked"), ("signups", "ready")])
def test_half_of_a_pair_is_enough(in_use: DatabaseInUse, table: str, state: str) -> None:
    """A lost delivery is parked, for it may have been sent; with a lost sign-up it is still delivered."""
    in_use.fill(3)
    in_use.in_file()
    aside = in_use.path.with_name("app.db.damaged-20260101-000000-1")
    in_use.path.rename(aside)
    with closing(driver.connect(str(aside))) as old:
        old.execute("PRAGMA foreign_keys = OFF")
        old.execute(f"DELETE FROM {table} WHERE {'source_id' if table == 'deliveries' else 'id'} = 's00001'")
        old.commit()
    in_use.salvage.run()
    status = Signups(in_use.database).find("s00001")
    assert status is not None
    assert status.state == state
    if table == "deliveries":
        assert "damaged" in (status.last_error or "")
        with in_use.database.reading() as connection:
            query = "SELECT payload FROM deliveries WHERE source_id = 's00001'"
            payload = json.loads(connection.exec_driver_sql(query).scalar_one())
        assert payload == {"email_address": "s00001@example.org"}


def test_a_salvage_that_was_cut_off_begins_again(in_use: DatabaseInUse) -> None:
    """Rows that are known already stay as they are, whatever became of them since."""
    in_use.fill(30)
    in_use.in_file()
    aside = in_use.path.with_name("app.db.damaged-20260101-000000-1")
    shutil.copy(in_use.path, aside)
    claimed = Deliveries(in_use.database).claim(86_400_000)
    assert isinstance(claimed, Claimed)
    Deliveries(in_use.database).delivered(claimed, now=86_400_001, contact_id="c1", action="created")
    in_use.salvage.run()
    status = Signups(in_use.database).find(claimed.source_id)
    assert status is not None
    assert status.state == "delivered"
    assert len(in_use.ids()) == 30
