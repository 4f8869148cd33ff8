"""What strangers are told of the backlog: it does not tell what became of a sign-up, on both engines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from store.engine.database import Database
from store.outbox.public_backlog import LONGEST_STANDSTILL_MS, RECENT_MS, PublicBacklog
from store.schema import deliveries
from store.signups.accept import Signups
from store.signups.suspected import SuspectedSignups
from tests.store.conftest import signup

NOW = 1_790_000_000_000
BROKEN = ("honeypot",)


class Town:
    """Sign-ups that arrive, and what a stranger is told."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.signups = Signups(database)
        self.backlog = PublicBacklog(database, stranger="form")

    def arrive(self, name: str, at: int, *, broken: tuple[str, ...] = (), asked_by: str = "form") -> None:
        new = replace(signup(name, at=at), asked_by=asked_by)
        self.signups.accept(new, kind="sign_up", payload={}, broken=broken)

    def change(self, name: str, **values: object) -> None:
        with self.database.transaction() as connection:
            connection.execute(update(deliveries).where(deliveries.c.source_id == name).values(**values))

    def deliver(self, name: str, *, state: str = "delivered") -> None:
        self.change(name, state=state, due_at=None)

    def told(self, at: int, *, standstill: bool = False) -> tuple[int, int | None]:
        found = self.backlog.read(at, standstill=standstill)
        assert found.parked == 0
        return found.pending, found.oldest_received_at


@pytest.fixture
def town(database: Database) -> Town:
    return Town(database)


def test_nothing_waits_in_an_empty_database(town: Town) -> None:
    """Neither while deliveries run nor while they stand still."""
    for standstill in (False, True):
        assert town.told(NOW, standstill=standstill) == (0, None)


FATES = ["waits", "delivered", "parked", "merged", "suspected"]


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("age", [0, RECENT_MS, RECENT_MS + 1])
def test_five_seconds_hide_what_became_of_it(town: Town, fate: str, age: int) -> None:
    """An anonymous sign-up counts, whether it was quickly delivered, refused, or kept apart.

    Afterwards one that still waits counts; of the others none does, as none of them would.
    """
    town.arrive("one", NOW, broken=BROKEN if fate == "suspected" else ())
    if fate in {"delivered", "parked", "merged"}:
        town.deliver("one", state=fate)
    counts = age <= RECENT_MS or fate == "waits"
    assert town.told(NOW + age) == ((1, NOW) if counts else (0, None))


def test_what_came_with_a_key_counts_as_it_is(town: Town) -> None:
    """Its sender is told the result anyway."""
    town.arrive("shop", NOW, asked_by="key-1")
    assert town.told(NOW) == (1, NOW)
    town.deliver("shop")
    assert town.told(NOW) == (0, None)


@pytest.mark.parametrize("broken", [(), BROKEN], ids=["believed", "suspected"])
def test_behind_one_that_waits_each_waits(town: Town, broken: tuple[str, ...]) -> None:
    """A queue is worked off by age: a believed one would still be in it, and is gone with the one before."""
    town.arrive("older", NOW)
    town.arrive("newer", NOW + 1, broken=broken)
    later = NOW + 60_000
    assert town.told(later) == (2, NOW)
    town.deliver("older")
    if not broken:
        town.deliver("newer")
    assert town.told(later) == (0, None)


def test_one_that_is_put_off_holds_nobody_up(town: Town) -> None:
    """What one contact's call must wait for, others do not."""
    town.arrive("postponed", NOW)
    town.change("postponed", due_at=NOW + 3_600_000)
    town.arrive("apart", NOW + 1, broken=BROKEN)
    assert town.told(NOW + 60_000) == (1, NOW)


@pytest.mark.parametrize("broken", [(), BROKEN], ids=["believed", "suspected"])
@pytest.mark.parametrize("others", [False, True], ids=["alone", "among others"])
def test_during_a_standstill_all_that_came_in_it_waits(
    town: Town, broken: tuple[str, ...], *, others: bool
) -> None:
    """Believed or suspected, first or last: what came since the last one that got through."""
    town.arrive("before", NOW - 60_000)
    town.deliver("before")
    town.arrive("apart before", NOW - 60_000, broken=BROKEN)
    town.arrive("one", NOW, broken=broken)
    if others:
        # Tried, and put off by the standstill itself.
        town.arrive("other", NOW + 1)
        town.change("other", due_at=NOW + 3_600_000)
    expected = 2 if others else 1
    assert town.told(NOW + 600_000, standstill=True) == (expected, NOW)


def test_a_suspected_one_does_not_wait_for_ever(town: Town) -> None:
    """A standstill is looked back on for a day: it is no statement about the month before."""
    town.arrive("apart", NOW, broken=BROKEN)
    assert town.told(NOW + LONGEST_STANDSTILL_MS, standstill=True) == (1, NOW)
    assert town.told(NOW + LONGEST_STANDSTILL_MS + 1, standstill=True) == (0, None)


def test_what_an_admin_released_counts_once(town: Town) -> None:
    """It is a sign-up like any other then."""
    town.arrive("apart", NOW, broken=BROKEN)
    assert SuspectedSignups(town.database).release("apart", now=NOW + 1)
    assert town.told(NOW + 2) == (1, NOW)
