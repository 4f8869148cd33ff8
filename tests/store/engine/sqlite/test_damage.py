"""A SQLite file that is damaged or taken away while it is in use: noticed, replaced, and read back."""

from __future__ import annotations

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

from store import schema
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from store.engine.sqlite import driver
from store.engine.statements import insert_unknown
from store.errors import StoreMisconfigured, StoreUnavailable
from store.outbox.deliveries import Claimed, Deliveries
from store.quota.ledger import QuotaLedger
from store.recovery.salvage import Salvage
from store.signups.accept import NewSignup, Signups
from tests.store.conftest import accept, connect, opening, signup

PAGE = 4096
ROWS = 250


class House:
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
        """Rows in one transaction, which is all that the speed of a test asks for."""
        accept(self.database, name(0))
        with self.database.transaction() as connection:
            for index in range(1, count):
                for table in ("signups", "deliveries"):
                    insert_unknown(connection, schema.metadata.tables[table], row_of(table, index))

    def in_file(self) -> None:
        """Bring everything from the log into the file, and let go of it."""
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
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "app.db", request.param)
    yield house
    house.database.close()


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


# What certainly comes back: page 1 can be mended whole, and half a file is half the rows.
LEAST_BACK = {"zero_header": ROWS, "zero_first_page": ROWS, "garbage_in_the_middle": ROWS - 100}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_and_what_is_left_is_read_back(
    house: House, damage: Callable[[Path], None]
) -> None:
    """The next look finds it; at once sign-ups are accepted again, and the readable rows come back."""
    house.fill()
    house.in_file()
    damage(house.path)
    house.database.look_for_damage()
    assert house.salvage.waits()
    accept(house.database, "new")
    (told,) = house.salvage.run()
    lost = ROWS - len(house.ids() & ALL)
    assert told.unreadable is None or lost <= told.unreadable
    assert ROWS - lost >= LEAST_BACK.get(damage.__name__, 0)
    assert (house.salvage.last(), house.salvage.waits(), house.salvage.run()) == (told, False, [])
    assert "new" in house.ids()
    with house.database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []


def test_a_sound_file_stays(house: House) -> None:
    """Looking for damage changes nothing where there is none, also while somebody writes."""
    house.fill(10)
    with house.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM meta WHERE key = 'probe'")
        assert not House(house.path, house.journal).database._backend.damaged()
    house.database.look_for_damage()
    assert not house.salvage.waits()
    assert len(house.ids()) == 10


def test_a_violated_constraint_is_no_damage(house: House) -> None:
    """A row that breaks a rule is a bug's, not the disk's: the file stays in use."""
    accept(house.database, "s1")
    with house.database.transaction() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("UPDATE deliveries SET state = 'odd'")
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")
    house.database.look_for_damage()
    assert not house.salvage.waits()


@pytest.mark.parametrize("damage", [zero_header, empty])
def test_damage_is_noticed_at_the_start(house: House, damage: Callable[[Path], None]) -> None:
    """A process that finds a damaged file starts with a new one; an empty file alone is taken for new."""
    house.fill()
    house.in_file()
    damage(house.path)
    again = House(house.path, house.journal)
    accept(again.database, "new")
    assert again.salvage.waits() == (damage is not empty)
    assert again.ids() == {"new"}
    again.database.close()


def test_a_file_that_was_never_ours_is_left_alone(tmp_path: Path) -> None:
    """A wrong path must not move somebody's photo away."""
    (tmp_path / "app.db").write_bytes(b"no database " * 500)
    database = House(tmp_path / "app.db", "wal").database
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
    """As somebody does who puts a backup in place without stopping the app."""
    path.rename(path.with_name("elsewhere.db"))
    shutil.copy(path.with_name("backup.db"), path)


@pytest.mark.parametrize("take_away", [delete, delete_all, move, move_all, restore_a_copy])
def test_a_file_taken_away_in_use_loses_nothing(house: House, take_away: Callable[[Path], None]) -> None:
    """Every acknowledged sign-up comes back out of the open connection, and work goes on at once."""
    house.fill(20)
    house.in_file()
    shutil.copy(house.path, house.path.with_name("backup.db"))
    for index in range(20, 40):
        accept(house.database, name(index))
    take_away(house.path)
    accept(house.database, "new")
    house.salvage.run()
    assert house.ids() == {name(index) for index in range(40)} | {"new"}
    assert not house.salvage.waits()
    with house.database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_a_commit_into_a_file_that_is_gone_is_not_acknowledged(house: House) -> None:
    """Deleted in the middle of a transaction, the file takes a commit that nobody will find."""
    accept(house.database, "s1")

    def store() -> None:
        with house.database.transaction() as connection:
            connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('a', 'b')")
            house.path.unlink()

    with pytest.raises(StoreUnavailable):
        store()
    accept(house.database, "s2")


def test_other_processes_meet_the_new_file(house: House) -> None:
    """A file that one process set aside is left by the others at their next use; none writes into the old."""
    house.fill(20)
    other = House(house.path, house.journal)
    assert len(other.ids()) == 20
    house.in_file()
    garbage_in_the_middle(house.path)
    house.database.look_for_damage()
    assert house.salvage.waits()
    accept(house.database, "new")
    accept(other.database, "other")
    assert house.ids() >= {"new", "other"}
    assert len(list(house.path.parent.glob("*.damaged-*[0-9]"))) == 1
    assert len(other.salvage.run()) == 1
    assert house.salvage.run() == []
    other.database.close()


def test_a_log_deleted_in_use_loses_nothing(tmp_path: Path) -> None:
    """What was committed into it comes back out of the open connection."""
    house = House(tmp_path / "app.db", "wal")
    house.fill(20)
    for suffix in ("-wal", "-shm"):
        house.path.with_name(house.path.name + suffix).unlink()
    accept(house.database, "new")
    house.salvage.run()
    look = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT id FROM signups'))"
    told = subprocess.run(
        [sys.executable, "-c", look, str(house.path)], capture_output=True, text=True, check=True
    )
    # As another process finds it: ours would read on in the log that only it has.
    assert told.stdout.count("'s0") == 20
    assert "'new'" in told.stdout
    house.database.close()


def test_a_log_that_ends_with_its_last_connection_is_no_alarm(tmp_path: Path) -> None:
    """SQLite deletes the log when the last connection closes; the next use goes on without a copy."""
    house = House(tmp_path / "app.db", "wal")
    house.fill(3)
    house.in_file()
    assert not house.path.with_name("app.db-wal").exists()
    accept(house.database, "new")
    assert not house.salvage.waits()
    house.database.close()


def test_tokens_budget_and_numbering_are_taken_over_before_the_first_use(house: House) -> None:
    """Otherwise a new file would grant the day's calls twice, and ask for a new consent."""
    connect(OAuthConnections(house.database))
    budget = QuotaLedger(house.database)
    for moment in range(3):
        assert opening(budget, 86_400_000 + moment) is None
    house.fill(20)
    before, kept = OAuthConnections(house.database).read(), budget.read()
    house.in_file()
    zero_header(house.path)
    house.database.look_for_damage()
    assert house.salvage.waits()
    assert OAuthConnections(house.database).read() == before
    assert budget.read() == kept
    accept(house.database, "new", contact=f"{name(1)}@example.org")
    (told,) = house.salvage.run()
    assert told.connection
    claimed = Deliveries(house.database).claim(2 * 86_400_000)
    assert isinstance(claimed, Claimed)
    assert claimed.source_id == name(0)
    with house.database.reading() as connection:
        query = "SELECT source_id FROM deliveries WHERE contact_key = 's00001@example.org' ORDER BY id"
        assert list(connection.exec_driver_sql(query).scalars()) == [name(1), "new"]


def test_a_consent_given_since_is_not_undone(house: House) -> None:
    """A salvage never puts older tokens over newer ones."""
    house.fill(3)
    connect(OAuthConnections(house.database))
    house.in_file()
    shutil.copy(house.path, house.path.with_name("app.db.damaged-20260101-000000-1"))
    connections = OAuthConnections(house.database)
    connect(connections)
    now = connections.read()
    assert now.generation == 2
    house.salvage.run()
    assert connections.read() == now


@pytest.mark.parametrize(("table", "state"), [("deliveries", "parked"), ("signups", "ready")])
def test_half_of_a_pair_is_enough(house: House, table: str, state: str) -> None:
    """A lost delivery is given to a person, for it may have been made; a lost sign-up is still delivered."""
    house.fill(3)
    house.in_file()
    aside = house.path.with_name("app.db.damaged-20260101-000000-1")
    house.path.rename(aside)
    with closing(driver.connect(str(aside))) as old:
        old.execute("PRAGMA foreign_keys = OFF")
        old.execute(f"DELETE FROM {table} WHERE {'source_id' if table == 'deliveries' else 'id'} = 's00001'")
        old.commit()
    house.salvage.run()
    status = Signups(house.database).find("s00001")
    assert status is not None
    assert status.state == state
    if table == "deliveries":
        assert "damaged" in (status.last_error or "")
        with house.database.reading() as connection:
            query = "SELECT payload FROM deliveries WHERE source_id = 's00001'"
            payload = json.loads(connection.exec_driver_sql(query).scalar_one())
        assert payload == {"email_address": "s00001@example.org"}


def test_a_salvage_that_was_cut_off_begins_again(house: House) -> None:
    """Rows that are known already stay as they are, whatever became of them since."""
    house.fill(30)
    house.in_file()
    aside = house.path.with_name("app.db.damaged-20260101-000000-1")
    shutil.copy(house.path, aside)
    claimed = Deliveries(house.database).claim(86_400_000)
    assert isinstance(claimed, Claimed)
    Deliveries(house.database).delivered(claimed, now=86_400_001, contact_id="c1", action="created")
    house.salvage.run()
    status = Signups(house.database).find(claimed.source_id)
    assert status is not None
    assert status.state == "delivered"
    assert len(house.ids()) == 30
