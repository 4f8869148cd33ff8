"""A sign-up is on disk, in the database or in the spool, and the database is spared while it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.engine.database import Database
from store.errors import OverLimit, StoreUnavailable
from store.recovery.durable_accept import SPOOL_FIRST_MS, DurableAccept
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.signups.accept import Signups
from store.signups.batch import Judgement
from store.signups.idempotency import IdempotencyKey
from store.signups.rate_limits import FLOOD, Limit
from tests.store.conftest import signup

MINUTE_MS = 60_000


class Way:
    """Accepts sign-ups into a database that can be made to refuse them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.spool = database, Spool(folder / "spool")
        self.now, self.has_room, self.away = MINUTE_MS, True, False
        self.durable = DurableAccept(
            Signups(database, spooled=self.spool.waits),
            self.spool,
            SpoolImport(database, self.spool),
            has_room=lambda: self.has_room,
            clock=lambda: self.now,
        )

    def accept(self, name: str, judgement: Judgement | None = None) -> tuple[str, ...] | None:
        return self.durable.accept(
            signup(name, at=self.now),
            kind="sign_up",
            payload={"email_address": f"{name}@example.org"},
            key=None,
            judgement=judgement or Judgement(),
        )

    def rename(self, table: str, name: str) -> None:
        with self.database.transaction() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")
        self.away = name == "elsewhere"


@pytest.fixture
def way(database: Database, tmp_path: Path) -> Iterator[Way]:
    """Yield a way into the store; a table that the test took away is there again for the next test."""
    way = Way(database, tmp_path)
    yield way
    if way.away:
        way.rename("elsewhere", "signups")


def test_what_the_database_refuses_is_spooled_and_stored_before_the_next(way: Way) -> None:
    """For two seconds the database is not asked; then what waits is imported first."""
    assert way.accept("a") == ()
    way.rename("signups", "elsewhere")
    assert way.accept("b") is None
    way.rename("elsewhere", "signups")
    assert way.accept("c") is None
    assert way.durable.first_with(IdempotencyKey("key", "body")) is None
    assert way.spool.count() == 2
    way.now += SPOOL_FIRST_MS + 1
    assert way.accept("d") == ()
    assert way.spool.count() == 0
    with way.database.reading() as connection:
        stored = connection.exec_driver_sql("SELECT source_id FROM deliveries ORDER BY id").scalars()
        assert list(stored) == ["a", "b", "c", "d"]


def test_on_a_disk_without_room_nothing_is_taken(way: Way) -> None:
    """The spool lies on the same disk."""
    way.has_room = False
    with pytest.raises(StoreUnavailable):
        way.accept("a")
    assert way.spool.count() == 0


@pytest.mark.parametrize("refuses", [False, True])
def test_whose_program_was_found_out_learns_no_limit(way: Way, refuses: bool) -> None:
    """Its flood is answered like one that is suspected, and another's is refused."""
    if refuses:
        way.rename("signups", "elsewhere")
    limits = (Limit("address_rate", "one", 1),)
    found_out = Judgement(broken=("honeypot",), limits=limits, found_out=True)
    answers = [way.accept(f"s{number}", found_out) for number in range(FLOOD + 2)]
    assert {answer is None or "honeypot" in answer for answer in answers} == {True}
    with pytest.raises(OverLimit):
        way.accept("person", Judgement(limits=limits))
