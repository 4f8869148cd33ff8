"""The limit of suspected sign-ups, in rows and in bytes."""

from collections.abc import Sequence
from pathlib import Path

from store.engine.database import Database
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.signups.accept import Signups, rows_of
from store.signups.batch import PROVEN, UNSURE, Arrival, Arrivals, Judgement, OneTimeUse
from store.signups.idempotency import IdempotencyKey
from store.signups.rate_limits import Limit
from store.signups.suspected import SuspectedSignups
from store.signups.suspected_room import Room, SuspectedCeiling
from store.upkeep.retention import Retention
from tests.store.conftest import in_threads, signup

TRAP = ("honeypot",)


def keep(signups: Signups, name: str, *, rank: int = UNSURE, more: str = "", at: int = 0) -> None:
    said = type(signup(name))(**{**vars(signup(name, at=at)), "consent": more})
    assert (
        signups.accept(said, kind="sign_up", payload={}, judgement=Judgement(broken=TRAP, rank=rank)) == TRAP
    )


def kept(database: Database) -> Sequence[str]:
    return sorted(suspect.id for suspect in SuspectedSignups(database).waiting(1_000))


def test_beyond_the_rows_they_are_counted_and_not_kept(database: Database) -> None:
    """Each is answered like the others; people's sign-ups go on."""
    signups = Signups(database, ceiling=SuspectedCeiling(rows=3))
    for number in range(8):
        keep(signups, f"s{number}", at=number)
    signups.accept(signup("person"), kind="sign_up", payload={})
    assert kept(database) == ["s0", "s1", "s2"]
    room = SuspectedSignups(database).room()
    assert (room.rows, room.dropped, room.dropped_at) == (3, 5, 7)
    assert signups.find("person") is not None


def test_beyond_the_bytes_they_are_not_kept(database: Database) -> None:
    """Large ones end where small ones still fit."""
    signups = Signups(database, ceiling=SuspectedCeiling(bytes=18_000))
    for number in range(8):
        keep(signups, f"s{number}", more="x" * 6_000)
    keep(signups, "small")
    assert kept(database) == ["s0", "s1", "small"]
    room = SuspectedSignups(database).room()
    assert room.rows == 3
    assert 12_000 < room.bytes <= 18_000
    with database.reading() as connection:
        sizes = connection.exec_driver_sql("SELECT document, bytes FROM suspected_signups").all()
    assert all(len(document.encode()) == size for document, size in sizes)
    assert sum(size for _, size in sizes) == room.bytes


def test_what_a_person_proved_is_kept_in_any_case(database: Database) -> None:
    """With a solved captcha it is kept however many there are; with a spent proof of work it is not."""
    signups = Signups(database, ceiling=SuspectedCeiling(rows=1))
    keep(signups, "s0")
    keep(signups, "person", rank=PROVEN)
    limits = [Limit("address_rate", "a", 1)]
    signups.accept(signup("within"), kind="sign_up", payload={}, judgement=Judgement(limits=limits))
    once = OneTimeUse("used_proof", "hash", 1_000)
    for name in ("first", "again"):
        signups.accept(
            signup(name),
            kind="sign_up",
            payload={},
            judgement=Judgement(limits=limits, once=once, rank=PROVEN),
        )
    assert kept(database) == ["first", "person", "s0"]


def test_a_decision_makes_room(database: Database) -> None:
    """Released, deleted, or out of its time."""
    signups, suspected = Signups(database, ceiling=SuspectedCeiling(rows=3)), SuspectedSignups(database)
    for name in ("s0", "s1", "s2"):
        keep(signups, name)
    assert suspected.release("s0", now=1)
    assert suspected.delete("s1")
    assert suspected.room().rows == 1
    keep(signups, "s3")
    keep(signups, "s4")
    keep(signups, "late")
    assert kept(database) == ["s2", "s3", "s4"]
    Retention(database).prune(31 * 86_400_000)
    room = suspected.room()
    assert (room.rows, room.bytes) == (0, 0)


def test_what_came_by_another_way_is_counted_by_the_next_housekeeping(
    database: Database, tmp_path: Path
) -> None:
    """Imported from the spool, where they have a limit of their own."""
    spool = Spool(tmp_path / "spool")
    for name in ("s0", "s1"):
        assert spool.keep(signup(name), kind="sign_up", payload={}, broken=TRAP)
    SpoolImport(database, spool).run()
    Retention(database).prune(0)
    assert SuspectedSignups(database).room().rows == 2


def test_many_at_once_keep_to_it(database: Database) -> None:
    """Threads that share a commit, and those that do not."""
    signups = Signups(database, ceiling=SuspectedCeiling(rows=10))
    others = Signups(database, ceiling=SuspectedCeiling(rows=10))

    def flood(thread: int) -> None:
        for number in range(5):
            keep(others if thread % 2 else signups, f"s{thread}-{number}")

    in_threads(6, flood)
    assert len(kept(database)) == 10
    room = SuspectedSignups(database).room()
    assert (room.rows, room.dropped) == (10, 20)


def test_the_rest_of_a_disk_is_for_people(database: Database) -> None:
    """A suspected one takes none of the reserved room, unless a captcha was solved."""
    arrivals = [
        Arrival(*rows_of(signup("s0"), "sign_up", {}), broken=TRAP),
        Arrival(*rows_of(signup("proven"), "sign_up", {}), broken=TRAP, rank=PROVEN),
        Arrival(*rows_of(signup("person"), "sign_up", {})),
    ]
    with database.transaction() as connection:
        Arrivals(Room(SuspectedCeiling(), ample=lambda: False)).store(connection, arrivals)
    assert kept(database) == ["proven"]
    assert Signups(database).find("person") is not None


def test_the_key_of_one_that_was_not_kept_is_free(database: Database) -> None:
    """Its sender may repeat it with a better proof, and is not referred to a sign-up that does not exist."""
    signups, key = Signups(database, ceiling=SuspectedCeiling(rows=0)), IdempotencyKey("k", "body")
    signups.accept(signup("a"), kind="sign_up", payload={}, key=key, judgement=Judgement(broken=TRAP))
    assert signups.first_with("k", now=1) is None
    assert signups.accept(signup("b"), kind="sign_up", payload={}, key=key) == ()
    first = signups.first_with("k", now=1)
    assert first is not None
    assert first.signup_id == "b"
