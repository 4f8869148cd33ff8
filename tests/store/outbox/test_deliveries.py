"""Claiming, finishing and postponing deliveries: the same promises on every engine."""

import itertools
from collections.abc import Callable

from store.engine.database import Database
from store.outbox.backlog import Backlog
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.quota.ledger import QuotaLedger
from store.quota.state import Wait
from store.signups.accept import Signups
from tests.store.conftest import accept, in_threads

LEASE = 60_000


def claimed(deliveries: Deliveries, now: int) -> Claimed:
    """Claim, and insist on getting a delivery."""
    result = deliveries.claim(now, lease_ms=LEASE)
    assert isinstance(result, Claimed), result
    return result


def outbox(database: Database) -> Deliveries:
    """Return deliveries whose clock shows no waiting for locks, so that calls start at exactly `now`."""
    return Deliveries(database, monotonic=lambda: 0.0)


def test_claim_hands_out_what_was_accepted(database: Database) -> None:
    """A claim returns the payload, counts the attempt and starts the fence."""
    accept(database, "s1", at=1_000)
    got = claimed(outbox(database), 2_000)
    assert got == Claimed(
        delivery_id=got.delivery_id,
        source="signup",
        source_id="s1",
        kind="sign_up",
        contact_key="s1@example.org",
        payload={"signup": "s1", "nested": [1]},
        received_at=1_000,
        attempts=1,
        fence=1,
        attempt_id=got.attempt_id,
        starts_at=2_000,
        probe=False,
        alone=False,
        younger=(),
    )


def test_delivered_row_is_not_claimed_again(database: Database) -> None:
    """After success nothing is waiting."""
    accept(database, "s1")
    deliveries = outbox(database)
    assert deliveries.delivered(claimed(deliveries, 1), now=2, contact_id="c", action="created")
    assert deliveries.claim(10 * LEASE) == Wait(None)
    assert deliveries.backlog() == Backlog(pending=0, oldest_received_at=None, parked=0)


def test_empty_outbox_reserves_nothing(database: Database) -> None:
    """Where there is nothing to send, no call is counted."""
    assert outbox(database).claim(1) == Wait(None)
    assert QuotaLedger(database).read().used == 0


def test_claim_waits_for_the_next_due_time(database: Database) -> None:
    """With nothing due yet, the caller learns when to come back, and no call is reserved."""
    accept(database, "later", at=9_000)
    accept(database, "soon", at=7_000)
    assert outbox(database).claim(5_000) == Wait(7_000)
    assert QuotaLedger(database).read().used == 0


def test_oldest_due_first(database: Database) -> None:
    """Of several contacts, the delivery that has been due for longest is claimed first."""
    accept(database, "young", at=20)
    accept(database, "old", at=10)
    deliveries = outbox(database)
    assert [claimed(deliveries, 30).source_id for _ in range(2)] == ["old", "young"]


def test_one_contact_is_served_in_order(database: Database) -> None:
    """A contact's second sign-up waits for the first, even while that one waits for its retry."""
    accept(database, "first", contact="ada@example.org", at=10)
    accept(database, "second", contact="ada@example.org", at=5)
    deliveries = outbox(database)
    first = claimed(deliveries, 100)
    assert first.source_id == "first"
    assert deliveries.postpone(first, due_at=500, error="503", count=True)
    assert deliveries.claim(200) == Wait(500)
    again = claimed(deliveries, 500)
    assert again.source_id == "first"
    assert deliveries.delivered(again, now=501, contact_id="c", action="created")
    assert claimed(deliveries, 502).source_id == "second"


def test_one_delivery_per_contact_in_flight(database: Database) -> None:
    """While a contact's delivery is under way its next one waits for the lease, others do not."""
    accept(database, "first", contact="ada@example.org", at=1)
    accept(database, "second", contact="ada@example.org", at=2)
    accept(database, "other", at=3)
    deliveries = outbox(database)
    assert claimed(deliveries, 100).source_id == "first"
    assert claimed(deliveries, 101).source_id == "other"
    assert deliveries.claim(102) == Wait(100 + LEASE)


def test_expired_lease_is_claimed_by_another(database: Database) -> None:
    """After the lease the row is claimed as it is; a finish by the late owner changes nothing."""
    accept(database, "s1")
    deliveries = outbox(database)
    late = claimed(deliveries, 0)
    assert deliveries.claim(LEASE - 1) == Wait(LEASE)
    owner = claimed(deliveries, LEASE)
    assert (owner.fence, owner.attempts) == (late.fence + 1, 2)
    assert not deliveries.delivered(late, now=LEASE, contact_id="late", action="created")
    assert not deliveries.postpone(late, due_at=0, error="late", count=True)
    assert not deliveries.park(late, now=LEASE, error="late")
    assert deliveries.delivered(owner, now=LEASE + 1, contact_id="owner", action="created")
    status = Signups(database).find("s1")
    assert status is not None
    assert (status.state, status.contact_id, status.last_error) == ("delivered", "owner", None)


def test_finished_row_cannot_be_finished_again(database: Database) -> None:
    """Of two finishes by the same owner only the first counts."""
    accept(database, "s1")
    deliveries = outbox(database)
    owner = claimed(deliveries, 0)
    assert deliveries.park(owner, now=1, error="400")
    assert not deliveries.delivered(owner, now=2, contact_id="c", action="created")


def test_expired_row_goes_before_an_older_one_replayed_meanwhile(database: Database) -> None:
    """A replayed older row and an expired younger one of a contact do not block each other for ever."""
    accept(database, "older", contact="ada@example.org")
    accept(database, "younger", contact="ada@example.org")
    deliveries = outbox(database)
    assert deliveries.park(claimed(deliveries, 0), now=1, error="400")
    assert claimed(deliveries, 2).source_id == "younger"
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'ready', due_at = 0 WHERE state = 'parked'")
    assert deliveries.claim(3) == Wait(2 + LEASE)
    assert claimed(deliveries, 2 + LEASE).source_id == "younger"


def test_postponed_attempt_counts_or_not(database: Database) -> None:
    """A failure that concerns all deliveries does not count as an attempt, one of the row does."""
    accept(database, "s1")
    deliveries = outbox(database)
    assert deliveries.postpone(claimed(deliveries, 0), due_at=10, error="offline", count=False)
    status = Signups(database).find("s1")
    assert status is not None
    assert (status.state, status.attempts, status.last_error, status.due_at) == ("ready", 0, "offline", 10)
    assert deliveries.postpone(claimed(deliveries, 10), due_at=20, error="409", count=True)
    assert claimed(deliveries, 20).attempts == 2


def test_parked_row_is_kept_and_counted(database: Database) -> None:
    """A parked row needs a person: it is counted, shown with its error and not claimed."""
    accept(database, "s1", at=3)
    accept(database, "s2", at=7)
    deliveries = outbox(database)
    assert deliveries.park(claimed(deliveries, 10), now=11, error="e-mail refused")
    assert deliveries.backlog() == Backlog(pending=1, oldest_received_at=7, parked=1)
    status = Signups(database).find("s1")
    assert status is not None
    assert (status.state, status.last_error, status.due_at) == ("parked", "e-mail refused", None)


def test_claim_obeys_the_quota(database: Database) -> None:
    """Four claims fit into a second; the fifth learns when it may start and takes no row."""
    for index in range(5):
        accept(database, f"s{index}")
    deliveries = outbox(database)
    for now in (10, 20, 30, 40):
        claimed(deliveries, now)
    assert deliveries.claim(50) == Wait(10 + 1_099)
    assert deliveries.backlog().pending == 5
    assert QuotaLedger(database).read().used == 4
    claimed(deliveries, 1_109)


def test_claim_obeys_a_pause(database: Database) -> None:
    """While everybody is paused nothing is claimed."""
    accept(database, "s1")
    QuotaLedger(database).pause(until=5_000, reason="503")
    assert outbox(database).claim(4_999) == Wait(5_000)
    claimed(outbox(database), 5_000)


def test_threads_never_claim_the_same_row(
    url: str, database: Database, open_database: Callable[[str], Database]
) -> None:
    """Eight threads over two engines get every row exactly once, one per contact at a time."""
    names = [f"s{index}" for index in range(24)]
    for index, name in enumerate(names):
        accept(database, name, contact=f"contact-{index % 12}@example.org")
    engines = [outbox(database), outbox(open_database(url))]
    clock = itertools.count(1_000, 300)  # slower than the quota, so that it never refuses

    def drain(index: int) -> list[tuple[str, str]]:
        deliveries, got = engines[index % 2], []
        for _ in range(15):
            result = deliveries.claim(next(clock), lease_ms=10**9)
            if isinstance(result, Claimed):
                got.append((result.source_id, result.contact_key))
        return got

    taken = list(itertools.chain.from_iterable(in_threads(8, drain)))
    # Nothing was finished: each contact's first row was taken, by one thread, and no second one.
    assert sorted(taken) == sorted((f"s{index}", f"contact-{index}@example.org") for index in range(12))
