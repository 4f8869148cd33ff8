"""Making parked deliveries due again when all deliveries turned out to be refused."""

from store.engine.database import Database
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.quota.state import Wait
from store.signups.accept import Signups
from tests.store.conftest import accept

REFUSED = "refused (contacts.api.validation)"


def park_next(outbox: Deliveries, now: int) -> int:
    claimed = outbox.claim(now)
    assert isinstance(claimed, Claimed)
    outbox.park(claimed, now=now, error=REFUSED)
    return claimed.delivery_id


def states(database: Database, names: list[str]) -> list[str]:
    signups = Signups(database)
    found = [signups.find(name) for name in names]
    return [row.state for row in found if row]


def test_those_that_are_named_are_due_again(database: Database) -> None:
    """Others with the same error stay parked for a person."""
    outbox, names = Deliveries(database), [f"s{number}" for number in range(4)]
    for number, name in enumerate(names):
        accept(database, name, contact=f"{name}@example.org", at=number)
    ids = [park_next(outbox, 2_000 * (number + 1)) for number in range(4)]
    assert outbox.put_back(ids[2:], due_at=90_000) == 2
    assert states(database, names) == ["parked", "parked", "ready", "ready"]
    assert outbox.claim(89_999) == Wait(90_000)
    claimed = outbox.claim(90_000)
    assert isinstance(claimed, Claimed)
    assert (claimed.source_id, claimed.attempts) == ("s2", 2)


def test_what_was_refused_three_times_stays_parked(database: Database) -> None:
    """Otherwise a few bad sign-ups would delay all others repeatedly."""
    outbox = Deliveries(database)
    accept(database, "s", at=1)
    for tries in (1, 2):
        assert outbox.put_back([park_next(outbox, 2_000 * tries)], due_at=2_000 * tries) == 1
    assert outbox.put_back([park_next(outbox, 6_000)], due_at=6_000) == 0
