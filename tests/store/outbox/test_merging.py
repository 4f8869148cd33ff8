"""One call for several sign-ups of a contact: handed out together, finished together, or not at all."""

from store.engine.database import Database
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.quota.state import Wait
from store.signups.accept import Signups
from tests.store.conftest import accept, signup

ADA = "ada@example.org"


def outbox(database: Database) -> Deliveries:
    return Deliveries(database, monotonic=lambda: 0.0)


def claim(database: Database, now: int) -> Claimed:
    result = outbox(database).claim(now)
    assert isinstance(result, Claimed), result
    return result


def states(database: Database) -> dict[str, tuple[str, str | None, str | None]]:
    """Return state, contact and action by sign-up."""
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT source_id, state, contact_id, action FROM deliveries").all()
    return {row.source_id: (row.state, row.contact_id, row.action) for row in rows}


def ids(claimed: Claimed) -> tuple[int, ...]:
    return tuple(other.delivery_id for other in claimed.younger)


def three_of_ada(database: Database) -> None:
    for at, name in enumerate(("first", "second", "third"), start=1):
        accept(database, name, contact=ADA, at=at)
    accept(database, "other", at=9)


def test_claim_brings_the_younger_ones_along(database: Database) -> None:
    """With their payloads, oldest first, and no other contact's."""
    three_of_ada(database)
    claimed = claim(database, 10)
    assert claimed.source_id == "first"
    assert [(other.payload["signup"], other.received_at) for other in claimed.younger] == [
        ("second", 2),
        ("third", 3),
    ]
    assert claim(database, 11).younger == ()


def test_younger_ones_are_not_claimed_meanwhile(database: Database) -> None:
    """They stay ready, but wait for the leader."""
    three_of_ada(database)
    claim(database, 10)
    assert claim(database, 11).source_id == "other"
    assert isinstance(outbox(database).claim(12), Wait)
    assert states(database)["second"] == ("ready", None, None)


def test_delivery_finishes_those_merged_into_it(database: Database) -> None:
    """Named rows become merged with the leader's result; one that was not named goes next."""
    three_of_ada(database)
    claimed = claim(database, 10)
    done = outbox(database).delivered(
        claimed, now=20, contact_id="c1", action="created", carried=ids(claimed)[:1]
    )
    assert done
    assert states(database) == {
        "first": ("delivered", "c1", "created"),
        "second": ("merged", "c1", "created"),
        "third": ("ready", None, None),
        "other": ("ready", None, None),
    }
    with database.reading() as connection:
        (row,) = connection.exec_driver_sql(
            "SELECT merged_into, finished_at, due_at FROM deliveries WHERE state = 'merged'"
        ).all()
    assert tuple(row) == (claimed.delivery_id, 20, None)
    assert [claim(database, now).source_id for now in (21, 22)] == ["third", "other"]


def test_delivery_that_lost_its_lease_finishes_nothing(database: Database) -> None:
    """The rows it carried are still the new owner's to carry."""
    three_of_ada(database)
    late = claim(database, 8)
    owner = claim(database, 60_010)
    assert owner.source_id == "other"
    owner = claim(database, 60_011)
    assert owner.delivery_id == late.delivery_id
    assert ids(owner) == ids(late)
    assert not outbox(database).delivered(
        late, now=70_020, contact_id="c", action="created", carried=ids(late)
    )
    assert states(database)["second"] == ("ready", None, None)


def test_only_ready_rows_of_the_contact_are_merged(database: Database) -> None:
    """Neither another contact's row nor a finished one, whatever the caller names."""
    three_of_ada(database)
    claimed = claim(database, 10)
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE deliveries SET state = 'parked', due_at = NULL WHERE source_id = 'third'"
        )
    everything = tuple(range(claimed.delivery_id, claimed.delivery_id + 4))
    assert outbox(database).delivered(claimed, now=20, contact_id="c", action="updated", carried=everything)
    found = {name: state for name, (state, _, _) in states(database).items()}
    assert found == {"first": "delivered", "second": "merged", "third": "parked", "other": "ready"}


def test_at_most_fifty_are_merged(database: Database) -> None:
    """The oldest fifty; a contact that signs up a thousand times is no burden for a claim."""
    for number in range(53):
        accept(database, f"s{number}", contact=ADA, at=number)
    younger = claim(database, 100).younger
    assert [other.payload["signup"] for other in younger] == [f"s{number}" for number in range(1, 51)]


def test_what_follows_one_that_may_not_be_merged_does_not_overtake_it(database: Database) -> None:
    """A row of another kind ends the merge: a contact's deliveries are sent in their order."""
    three_of_ada(database)
    Signups(database).accept(signup("leave", contact=ADA, at=5), kind="unsubscribe", payload={})
    accept(database, "again", contact=ADA, at=6)
    assert [other.payload["signup"] for other in claim(database, 10).younger] == ["second", "third"]


def test_refused_together_then_alone(database: Database) -> None:
    """The first one is sent alone, at the time it was postponed to, and is not merged into a younger one."""
    three_of_ada(database)
    outbox(database).postpone(claim(database, 4), due_at=5, error="400", count=True, alone=True)
    again = claim(database, 6)
    assert (again.source_id, again.alone, again.younger, again.attempts) == ("first", True, (), 2)
    assert outbox(database).postpone(again, due_at=7, error="503", count=False)
    again = claim(database, 8)
    assert (again.source_id, again.alone, again.younger) == ("first", True, ())
    assert outbox(database).park(again, now=8, error="400")
    assert claim(database, 8).source_id == "second"


def test_one_that_goes_alone_is_not_merged(database: Database) -> None:
    """Not even when an older row of its contact came back."""
    three_of_ada(database)
    deliveries = outbox(database)
    assert deliveries.park(claim(database, 4), now=5, error="400")
    second = claim(database, 5)
    assert second.source_id == "second"
    assert deliveries.postpone(second, due_at=6, error="400", count=True, alone=True)
    assert deliveries.retry("first", now=6)
    again = claim(database, 7)
    assert (again.source_id, again.younger) == ("first", ())


def test_younger_ones_wait_as_long_as_the_leader(database: Database) -> None:
    """Their status shows the true next try, and claims need not look at them in vain."""
    three_of_ada(database)
    deliveries = outbox(database)
    assert deliveries.postpone(claim(database, 10), due_at=5_000, error="409", count=True)
    assert claim(database, 11).source_id == "other"
    found = [Signups(database).find(name) for name in ("first", "second", "third", "other")]
    assert [status.due_at for status in found if status] == [5_000, 5_000, 5_000, 11 + 60_000]
    assert len(claim(database, 5_000).younger) == 2


def test_retry_makes_a_parked_row_due_as_if_new(database: Database) -> None:
    """And nothing else: a row that is not parked is left alone."""
    accept(database, "s1")
    deliveries = outbox(database)
    assert not deliveries.retry("s1", now=5)
    first = claim(database, 10)
    assert not deliveries.retry("s1", now=11)
    assert deliveries.postpone(first, due_at=11, error="400", count=True, alone=True)
    assert deliveries.park(claim(database, 11), now=12, error="400")
    assert deliveries.retry("s1", now=20)
    assert deliveries.claim(19) == Wait(20)
    again = claim(database, 20)
    assert (again.attempts, again.alone) == (1, False)
    assert not deliveries.retry("unknown", now=20)


def test_retried_row_goes_before_its_contacts_younger_ones(database: Database) -> None:
    """The order per contact holds: the younger ones are merged into it, not it into them."""
    three_of_ada(database)
    deliveries = outbox(database)
    assert deliveries.park(claim(database, 10), now=11, error="400")
    assert deliveries.retry("first", now=500)
    taken = [claim(database, 600), claim(database, 601)]
    assert [claimed.source_id for claimed in taken] == ["other", "first"]
    assert [other.payload["signup"] for other in taken[1].younger] == ["second", "third"]
