"""Second copies: rows lost with pages of the database file are restored from them."""

import json
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from store.engine.copies import Entry, SecondCopies, changes, rows
from store.engine.database import Database
from store.engine.sqlite import damage, driver
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.outbox.requested import NewRequest, RequestedDeliveries
from store.quota.state import Wait
from store.recovery.salvage import Salvage
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.signups.accept import Signups
from store.signups.batch import PROVEN, UNSURE, Judgement
from store.signups.records import SignupFilter, SignupRecords
from store.signups.suspected import SuspectedSignups
from store.upkeep.retention import Retention
from tests.store.conftest import accept, in_threads, signup
from tests.store.engine.sqlite.test_damage import (
    cut_in_half,
    empty,
    garbage_in_the_middle,
    no_database,
    payload_of,
)

DAY = 86_400_000
NOW = 20_000 * DAY + 3_600_000
ASIDE = "app.db.damaged-20260101-000000-1"
BREAKS_A_RULE = ("honeypot",)


class DatabaseInUse:
    """A database in use, from whose file rows can be removed."""

    def __init__(self, path: Path, new: Path) -> None:
        """`new` is an empty database."""
        shutil.copy(new, path)
        self.path, self.new = path, new
        self.database = Database(f"sqlite:///{path}", busy_timeout_seconds=2)
        self.signups = Signups(self.database)
        self.deliveries = Deliveries(self.database, monotonic=lambda: 0.0)
        self.salvage = Salvage(self.database, path, restore=payload_of)

    def accept(self, name: str, *, contact: str | None = None, at: int = NOW) -> None:
        accept(self.database, name, contact=contact, at=at, signups=self.signups)

    def suspect(self, name: str) -> None:
        self.signups.accept(
            signup(name, at=NOW),
            kind="sign_up",
            payload={"n": name},
            judgement=Judgement(broken=BREAKS_A_RULE),
        )

    def claim(self, now: int = NOW) -> Claimed:
        claimed = self.deliveries.claim(now)
        assert isinstance(claimed, Claimed), claimed
        return claimed

    def deliver(self, now: int = NOW, *, carrying: bool = False) -> str:
        claimed = self.claim(now)
        carried = tuple(other.delivery_id for other in claimed.younger) if carrying else ()
        self.deliveries.delivered(claimed, now=now, contact_id="c1", action="created", carried=carried)
        return claimed.source_id

    def lose(self, *names: str, tables: tuple[str, ...] = ("deliveries", "signups")) -> None:
        """Set the file aside without these rows, as another process does, and read it back."""
        self._delete(names, tables)
        self.path.rename(self.path.with_name(ASIDE))
        shutil.copy(self.new, self.path)
        self.salvage.run()

    def tear_out(self, *names: str) -> int:
        """Have the file set aside, without these rows; return when that was (epoch ms)."""
        self._delete(names, ("deliveries", "signups"))
        with self.path.open("r+b") as file:
            file.write(bytes(100))
        self.database.look_for_damage()
        (aside,) = damage.to_read_back(self.path)
        return damage.set_aside_at(aside)

    def keep_aside(self) -> None:
        """Keep a copy of the file as it is now."""
        self.database.close()
        shutil.copy(self.path, self.path.with_name("before"))

    def set_back(self) -> None:
        """Set aside the kept copy, as if the log was lost since then, and read it back."""
        self.database.close()
        self.path.with_name("before").rename(self.path.with_name(ASIDE))
        shutil.copy(self.new, self.path)
        self.salvage.run()

    def _delete(self, names: tuple[str, ...], tables: tuple[str, ...]) -> None:
        self.database.close()
        with closing(driver.connect(str(self.path))) as old:
            old.execute("PRAGMA foreign_keys = OFF")
            for table in tables:
                key = "source_id" if table == "deliveries" else "id"
                old.executemany(f"DELETE FROM {table} WHERE {key} = ?", [(name,) for name in names])
            old.commit()

    def all(self, table: str) -> list[dict[str, Any]]:
        with self.database.reading() as connection:
            found = connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY id")
            return [dict(row) for row in found.mappings()]

    def states(self) -> dict[str, str]:
        return {row["source_id"]: row["state"] for row in self.all("deliveries")}

    def ends(self) -> list[dict[str, Any]]:
        """Return the deliveries without the marks of their claims, which are not copied."""
        claim = {"fence", "attempts"}
        return [
            {name: value for name, value in row.items() if name not in claim}
            for row in self.all("deliveries")
        ]

    def days(self) -> list[int]:
        return [begins // DAY for begins, _ in self.database.copies.files()]

    @property
    def copies(self) -> Path:
        return self.path.parent / "copies"


@pytest.fixture
def in_use(tmp_path: Path, sqlite_templates: dict[str, Path]) -> Iterator[DatabaseInUse]:
    in_use = DatabaseInUse(tmp_path / "app.db", sqlite_templates["sqlite-wal"])
    yield in_use
    in_use.database.close()


def test_what_was_lost_comes_back_as_it_was(in_use: DatabaseInUse) -> None:
    """Every column of the sign-up and of its delivery, and the id that orders one contact's deliveries."""
    for name in ("s1", "s2", "s3"):
        in_use.accept(name, contact="ada@example.org")
    before = {table: in_use.all(table) for table in ("signups", "deliveries")}
    in_use.lose("s1", "s3")
    assert {table: in_use.all(table) for table in ("signups", "deliveries")} == before
    last = in_use.salvage.last()
    assert last is not None
    assert (last.signups, last.copied) == (1, 2)


@pytest.mark.parametrize("harm", [garbage_in_the_middle, cut_in_half, no_database, empty])
def test_whatever_the_damage_all_that_was_accepted_comes_back(
    in_use: DatabaseInUse, harm: Callable[[Path], None]
) -> None:
    """In the states they had, beside those that were accepted since."""
    for index in range(60):
        in_use.accept(f"s{index:02}")
    assert [in_use.deliver(NOW + second * 1_000) for second in range(3)]
    before = in_use.states()
    in_use.database.close()
    harm(in_use.path)
    in_use.database.look_for_damage()
    in_use.accept("new")
    in_use.salvage.run()
    assert in_use.states() == before | {"new": "ready"}
    with in_use.database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []


def test_the_number_of_each_is_right_among_those_stored_together(in_use: DatabaseInUse) -> None:
    """What one statement inserts is numbered in the order of its rows."""
    in_threads(24, lambda index: in_use.accept(f"s{index:02}"))
    ((_, file),) = in_use.database.copies.files()
    copied = {row["source_id"]: row["id"] for row in rows(file, "deliveries")}
    assert copied == {row["source_id"]: row["id"] for row in in_use.all("deliveries")}


def test_what_had_been_delivered_is_not_sent_again(in_use: DatabaseInUse) -> None:
    """Nor are the deliveries merged into it; one that was still to be sent comes back due."""
    for name, contact in (("s1", "ada"), ("s2", "ada"), ("s3", "bob"), ("s4", "eve")):
        in_use.accept(name, contact=f"{contact}@example.org")
    assert in_use.deliver(carrying=True) == "s1"
    assert in_use.deliver() == "s3"
    assert in_use.states() == {"s1": "delivered", "s2": "merged", "s3": "delivered", "s4": "ready"}
    before = in_use.ends()
    in_use.lose("s1", "s2", "s3", "s4")
    assert in_use.ends() == before


def test_a_row_that_was_read_back_older_than_its_end_is_not_sent_again(in_use: DatabaseInUse) -> None:
    """With the log the end of a delivery is lost, and the row is as before; the copy has its end."""
    in_use.accept("s1")
    in_use.keep_aside()
    in_use.deliver()
    in_use.set_back()
    assert in_use.states() == {"s1": "delivered"}


def test_a_call_that_ended_while_its_file_was_set_aside_counts(in_use: DatabaseInUse) -> None:
    """The new file has no row for it yet; its end is written to the copy all the same."""
    in_use.accept("s1")
    claimed = in_use.claim()
    in_use.tear_out("s1")
    assert not in_use.deliveries.delivered(claimed, now=NOW, contact_id="c1", action="created")
    in_use.salvage.run()
    assert in_use.states() == {"s1": "delivered"}


@pytest.mark.parametrize("lost", [("s1", "s2"), ()])
def test_a_parked_one_is_still_for_a_person(in_use: DatabaseInUse, lost: tuple[str, ...]) -> None:
    """Sent again by itself it could overwrite a newer sign-up; one that was retried is due."""
    for name in ("s1", "s2", "s3"):
        in_use.accept(name)
    in_use.keep_aside()
    ids = []
    for _ in range(3):
        claimed = in_use.claim()
        ids.append(claimed.delivery_id)
        in_use.deliveries.park(claimed, now=NOW, error="Refused.")
    assert in_use.deliveries.retry("s2", now=NOW + 1)
    assert in_use.deliveries.put_back(ids, due_at=NOW + 2) == 2
    in_use.deliveries.park(in_use.claim(NOW + 1_000), now=NOW + 1_000, error="Refused again.")
    in_use.set_back() if not lost else in_use.lose(*lost)
    record = SignupRecords(in_use.database).find("s2")
    assert record is not None
    assert (record.state, record.last_error) == ("parked", "Refused again.")
    assert in_use.states() == {"s1": "ready", "s2": "parked", "s3": "ready"}


def test_one_that_is_being_sent_again_is_left_to_its_sender(in_use: DatabaseInUse) -> None:
    """Its copy says that it was made due again, which is older than its claim."""
    in_use.accept("s1")
    in_use.deliveries.park(in_use.claim(), now=NOW, error="Refused.")
    assert in_use.deliveries.retry("s1", now=NOW)
    assert in_use.claim(NOW + 1_000).source_id == "s1"
    in_use.accept("s2")
    in_use.lose("s2")
    assert in_use.states() == {"s1": "sending", "s2": "ready"}


def test_a_refusal_that_comes_too_late_is_not_noted(in_use: DatabaseInUse) -> None:
    """The lease had ended, and another sender delivered it: that outcome stays."""
    in_use.accept("s1")
    late = in_use.claim()
    assert in_use.deliver(NOW + 61_000) == "s1"
    assert not in_use.deliveries.park(late, now=NOW + 62_000, error="Refused.")
    in_use.lose("s1")
    assert in_use.states() == {"s1": "delivered"}


def test_a_sign_up_that_was_copied_twice_counts_once(in_use: DatabaseInUse) -> None:
    """An import of the spool that was cut off writes its copies again."""
    in_use.accept("s1")
    ((_, file),) = in_use.database.copies.files()
    file.write_bytes(file.read_bytes() * 2)
    in_use.lose("s1")
    last = in_use.salvage.last()
    assert last is not None
    assert last.copied == 1


@pytest.mark.parametrize("table", ["signups", "deliveries"])
def test_half_of_a_pair_is_completed(in_use: DatabaseInUse, table: str) -> None:
    """Neither a placeholder of a sign-up remains, nor a delivery whose state is unknown."""
    in_use.accept("s1")
    before = in_use.all("signups"), in_use.all("deliveries")
    in_use.lose("s1", tables=(table,))
    assert (in_use.all("signups"), in_use.all("deliveries")) == before


def test_a_second_salvage_brings_nothing_twice(in_use: DatabaseInUse) -> None:
    """Cut off, it begins again; what became of the rows since stays."""
    in_use.accept("s1")
    in_use.accept("s2")
    in_use.lose("s1")
    assert in_use.deliver(NOW) == "s1"
    aside = next(in_use.path.parent.glob("*.kept-*[0-9]"))
    aside.rename(in_use.path.with_name(ASIDE))
    (told,) = in_use.salvage.run()
    assert told.copied == 0
    assert in_use.states() == {"s1": "delivered", "s2": "ready"}


def test_nothing_is_sent_before_all_is_put_back(in_use: DatabaseInUse) -> None:
    """Otherwise a new sign-up could be sent before an older one of the same person."""
    in_use.accept("s1", contact="ada@example.org")
    stamped = in_use.tear_out("s1")
    in_use.accept("s2", contact="ada@example.org", at=stamped)
    assert in_use.deliveries.claim(stamped + 5_000) == Wait(stamped + 6_000)
    in_use.salvage.run()
    assert in_use.claim(stamped + 5_000).source_id == "s1"


def test_what_cannot_be_put_back_holds_up_the_others_for_ten_minutes_only(in_use: DatabaseInUse) -> None:
    """After that, something that a person must look at prevents it."""
    in_use.accept("s0")
    stamped = in_use.tear_out("s0")
    in_use.accept("s1", at=stamped)
    assert isinstance(in_use.deliveries.claim(stamped + 599_999), Wait)
    assert in_use.claim(stamped + 600_000).source_id == "s1"


def test_a_file_that_is_gone_without_a_connection_to_it_comes_back(in_use: DatabaseInUse) -> None:
    """Nothing can be read any more, so all comes from the copies, before what was accepted since."""
    for index in range(3):
        in_use.accept(f"s{index}")
    before = {table: in_use.all(table) for table in ("signups", "deliveries")}
    in_use.database.close()
    in_use.path.unlink()
    in_use.accept("new")
    (told,) = in_use.salvage.run()
    assert (told.signups, told.copied) == (0, 3)
    assert in_use.all("deliveries")[:3] == before["deliveries"]
    assert in_use.all("deliveries")[3]["source_id"] == "new"
    assert [row for row in in_use.all("signups") if row["id"] != "new"] == before["signups"]


def test_spooled_sign_ups_are_copied_with_their_import(in_use: DatabaseInUse, tmp_path: Path) -> None:
    """Also those that are known already: the import may have been cut off before the copy."""
    spool = Spool(tmp_path / "spool")
    spool.keep(signup("s1", at=NOW), kind="sign_up", payload={"signup": "s1"})
    content = (tmp_path / "spool" / "waiting").read_bytes()
    spooled = SpoolImport(in_use.database, spool)
    spooled.run()
    in_use.accept("s2")
    before = in_use.all("signups"), in_use.all("deliveries")
    shutil.rmtree(in_use.copies)
    (tmp_path / "spool" / "importing-1-1").write_bytes(content)
    spooled.run()
    in_use.lose("s1")
    assert (in_use.all("signups"), in_use.all("deliveries")) == before


def test_suspected_ones_come_back_undecided_and_decided_ones_stay_decided(in_use: DatabaseInUse) -> None:
    """One that was released is not offered again, and one that was deleted does not return."""
    suspected = SuspectedSignups(in_use.database)
    for name in ("s1", "s2", "s3"):
        in_use.suspect(name)
    assert suspected.release("s2", now=NOW + 2 * DAY)
    assert suspected.delete("s3")
    assert not suspected.delete("s3")
    in_use.lose("s1", "s2", "s3", tables=("deliveries", "signups", "suspected_signups"))
    assert [one.id for one in suspected.waiting(10)] == ["s1"]
    assert in_use.states() == {"s2": "ready"}
    released = suspected.find("s2")
    assert released is not None
    assert released.released_at == NOW + 2 * DAY
    assert suspected.find("s3") is None


def test_what_was_decided_on_together_stays_decided_and_a_rank_stays(in_use: DatabaseInUse) -> None:
    """Each release and deletion of many is copied by itself, and so is a proof that came later."""
    suspected = SuspectedSignups(in_use.database)
    for name in ("s1", "s2", "s3"):
        in_use.suspect(name)
    suspected.try_again("s1", now=NOW, believed=False, rank=PROVEN)
    assert suspected.delete_of("honeypot", seen=NOW + DAY, most=1) == 2
    in_use.suspect("s4")
    in_use.lose("s1", "s2", "s3", "s4", tables=("deliveries", "signups", "suspected_signups"))
    assert [(one.id, one.rank) for one in suspected.waiting(10)] == [("s1", PROVEN), ("s4", UNSURE)]
    assert suspected.release_of("honeypot", seen=NOW + DAY, now=NOW + DAY, most=10) == 2
    in_use.lose("s1", "s4", tables=("deliveries", "signups", "suspected_signups"))
    assert suspected.waiting(10) == []
    assert {row.id for row in SignupRecords(in_use.database).newest(SignupFilter(), 10)} == {"s1", "s4"}


def test_a_line_that_was_cut_off_spoils_no_other(in_use: DatabaseInUse) -> None:
    """Neither the one after it nor the reading; a flipped letter is not believed."""
    in_use.accept("s1")
    ((_, file),) = in_use.database.copies.files()
    with file.open("ab") as half:
        half.write(b's0 12345678 {"rows": {"sig')
    in_use.accept("s2")
    in_use.accept("s3")
    file.write_bytes(file.read_bytes().replace(b"s3@example.org", b"s4@example.org"))
    assert [row["id"] for row in rows(file, "signups")] == ["s1", "s2"]


def test_a_copy_that_cannot_be_written_fails_no_sign_up(in_use: DatabaseInUse) -> None:
    """It is logged once, and shown by /health while it lasts; the next copy that is written ends it."""
    in_use.copies.touch()
    with capture_logs() as logs:
        in_use.accept("s1")
        in_use.accept("s2")
    assert [line["event"] for line in logs if line["log_level"] == "critical"] == ["copies_not_written"]
    problem = in_use.database.copies.problem() or ""
    assert "second copy" in problem
    assert "let this user write there" in problem
    # The check of another process, which has not written yet.
    assert SecondCopies(in_use.path).problem() is not None
    in_use.copies.unlink()
    in_use.accept("s3")
    assert in_use.database.copies.problem() is None
    assert in_use.states() == {"s1": "ready", "s2": "ready", "s3": "ready"}


def test_a_disk_that_takes_a_part_of_a_line_is_reported(tmp_path: Path) -> None:
    """As a full one does at its last bytes; the half line is not believed, and spoils no later one."""
    copies = SecondCopies(tmp_path / "app.db")

    def write(name: str) -> None:
        copies.write([Entry(name, 0, rows={"signups": {"id": name}})])

    write("s1")
    ((_, file),) = copies.files()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 20, hard))
    try:
        with capture_logs():  # a file of its own, which would grow too large
            write("s2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert "No space left" in (copies.problem() or "")
    write("s3")
    assert copies.problem() is None
    assert [row["id"] for row in rows(file, "signups")] == ["s1", "s3"]


def test_a_commit_into_a_replaced_file_has_its_copy_and_is_not_acknowledged(in_use: DatabaseInUse) -> None:
    """The copy is written before the last look at the file, so reading back that file finds the line."""
    in_use.accept("s1")
    with (
        pytest.raises(Exception, match="replaced"),
        in_use.database.transaction(committed=in_use.path.unlink),
    ):
        pass


def test_days_are_removed_when_nothing_of_them_waits(in_use: DatabaseInUse) -> None:
    """Yesterday's never; a waiting, a parked and a suspected one keep theirs, but not beyond 30 days."""
    today = NOW // DAY
    now = NOW + 5 * DAY
    for day in range(6):
        in_use.accept(f"s{day}", at=NOW + day * DAY)
    in_use.suspect("apart")  # on the first day
    with in_use.database.transaction() as connection:
        for state, of in (("delivered", "0, 2, 4, 5"), ("parked", "1")):
            ids = ", ".join(f"'s{number}'" for number in of.split(", "))
            ended = f"UPDATE deliveries SET state = '{state}', due_at = NULL WHERE source_id IN ({ids})"
            connection.exec_driver_sql(ended)
    retention = Retention(in_use.database)
    assert retention.prune_copies(now) == 1
    assert in_use.days() == [today + day for day in (0, 1, 3, 4, 5)]
    retention.prune_copies(NOW // DAY * DAY + 31 * DAY)
    assert in_use.days() == [today + day for day in (1, 3)]
    retention.prune_copies(NOW // DAY * DAY + 34 * DAY)
    assert in_use.days() == []


def test_no_day_is_removed_before_it_was_put_back(in_use: DatabaseInUse) -> None:
    """In the new file, which is still empty, nothing of that day waits."""
    in_use.accept("s1")
    in_use.tear_out("s1")
    later = NOW + 20 * DAY
    assert Retention(in_use.database).prune_copies(later) == 0
    in_use.salvage.run()
    assert in_use.states() == {"s1": "ready"}


def test_another_database_in_the_folder_has_its_own(in_use: DatabaseInUse, tmp_path: Path) -> None:
    """Nothing of one is put back into the other."""
    other = DatabaseInUse(tmp_path / "other.db", in_use.new)
    other.accept("elsewhere")
    in_use.accept("s1")
    in_use.lose("s1")
    assert in_use.states() == {"s1": "ready"}
    other.database.close()


def test_a_finish_is_noted_for_its_own_day(in_use: DatabaseInUse) -> None:
    """All about a sign-up is in one file, however late it was delivered."""
    in_use.accept("s1")
    in_use.deliver(NOW + 3 * DAY)
    ((begins, file),) = in_use.database.copies.files()
    assert begins == NOW // DAY * DAY
    assert file.name == "app.db-2024-10-04"
    assert (changes(file, "deliveries")["s1"] or {})["state"] == "delivered"
    assert json.loads(next(rows(file, "signups"))["person"])["first_name"] == "Ada"


def test_a_delivery_that_no_sign_up_asked_for_comes_back(in_use: DatabaseInUse) -> None:
    """As it was, waiting or done, and without a sign-up made up for it."""
    requested = RequestedDeliveries(in_use.database)
    for name in ("c1", "c2"):
        contact = f"{name}@example.org"
        requested.add(NewRequest(name, "command", "leave", contact, {"email_address": contact}, NOW))
    assert in_use.deliver() == "c1"
    before = in_use.ends()
    in_use.lose("c1", "c2")
    assert in_use.ends() == before
    assert in_use.all("signups") == []
    assert in_use.claim(NOW + 1_000).kind == "leave"
