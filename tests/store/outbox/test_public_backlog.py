"""The backlog as strangers see it: it does not reveal what became of a sign-up, on both engines."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from store.engine.database import Database
from store.outbox.public_backlog import LONGEST_STANDSTILL_MS, RECENT_MS, PublicBacklog
from store.schema.outbox import deliveries
from store.signups.accept import Signups
from store.signups.batch import Judgement
from store.signups.suspected import SuspectedSignups
from tests.store.conftest import signup

NOW = 1_790_000_000_000
BROKEN = ("honeypot",)


class System:
    """A store with sign-ups, and the backlog that a stranger sees."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.signups = Signups(database)
        self.backlog = PublicBacklog(database, stranger="form")

    def arrive(self, name: str, at: int, *, broken: tuple[str, ...] = (), asked_by: str = "form") -> None:
        new = replace(signup(name, at=at), asked_by=asked_by)
        self.signups.accept(new, kind="sign_up", payload={}, judgement=Judgement(broken=broken))

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
def system(database: Database) -> System:
    return System(database)


def test_nothing_waits_in_an_empty_database(system: System) -> None:
    """Neither while deliveries run nor while they stand still."""
    for standstill in (False, True):
        assert system.told(NOW, standstill=standstill) == (0, None)


FATES = ["waits", "delivered", "parked", "merged", "suspected"]


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("age", [0, RECENT_MS, RECENT_MS + 1])
def test_for_five_seconds_nothing_reveals_what_became_of_a_sign_up(
    system: System, fate: str, age: int
) -> None:
    """An anonymous sign-up counts, whether it was quickly delivered, refused, or kept apart.

    Afterwards one that still waits counts; of the others none does, as none of them would.
    """
    system.arrive("one", NOW, broken=BROKEN if fate == "suspected" else ())
    if fate in {"delivered", "parked", "merged"}:
        system.deliver("one", state=fate)
    counts = age <= RECENT_MS or fate == "waits"
    assert system.told(NOW + age) == ((1, NOW) if counts else (0, None))


def test_what_came_with_a_key_counts_as_it_is(system: System) -> None:
    """Its sender learns the result anyway."""
    system.arrive("shop", NOW, asked_by="key-1")
    assert system.told(NOW) == (1, NOW)
    system.deliver("shop")
    assert system.told(NOW) == (0, None)


@pytest.mark.parametrize("broken", [(), BROKEN], ids=["believed", "suspected"])
def test_behind_one_that_waits_each_waits(system: System, broken: tuple[str, ...]) -> None:
    """Deliveries go by age, so a suspected one counts as long as one that is not suspected would wait."""
    system.arrive("older", NOW)
    system.arrive("newer", NOW + 1, broken=broken)
    later = NOW + 60_000
    assert system.told(later) == (2, NOW)
    system.deliver("older")
    if not broken:
        system.deliver("newer")
    assert system.told(later) == (0, None)


def test_one_that_is_put_off_holds_nobody_up(system: System) -> None:
    """What one contact's call must wait for, others do not."""
    system.arrive("postponed", NOW)
    system.change("postponed", due_at=NOW + 3_600_000)
    system.arrive("apart", NOW + 1, broken=BROKEN)
    assert system.told(NOW + 60_000) == (1, NOW)


@pytest.mark.parametrize("broken", [(), BROKEN], ids=["believed", "suspected"])
@pytest.mark.parametrize("others", [False, True], ids=["alone", "among others"])
def test_during_a_standstill_all_that_came_in_it_waits(
    system: System, broken: tuple[str, ...], *, others: bool
) -> None:
    """Suspected or not, first or last: all that came since the last sign-up that was delivered."""
    system.arrive("before", NOW - 60_000)
    system.deliver("before")
    system.arrive("apart before", NOW - 60_000, broken=BROKEN)
    system.arrive("one", NOW, broken=broken)
    if others:
        # Tried, and postponed by the standstill itself.
        system.arrive("other", NOW + 1)
        system.change("other", due_at=NOW + 3_600_000)
    expected = 2 if others else 1
    assert system.told(NOW + 600_000, standstill=True) == (expected, NOW)


def test_a_suspected_one_does_not_wait_for_ever(system: System) -> None:
    """Only sign-ups of the last day are counted for a standstill."""
    system.arrive("apart", NOW, broken=BROKEN)
    assert system.told(NOW + LONGEST_STANDSTILL_MS, standstill=True) == (1, NOW)
    assert system.told(NOW + LONGEST_STANDSTILL_MS + 1, standstill=True) == (0, None)


def test_what_an_admin_released_counts_once(system: System) -> None:
    """It is a sign-up like any other then."""
    system.arrive("apart", NOW, broken=BROKEN)
    assert SuspectedSignups(system.database).release("apart", now=NOW + 1)
    assert system.told(NOW + 2) == (1, NOW)
