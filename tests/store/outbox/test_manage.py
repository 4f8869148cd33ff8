"""What an admin decides about sign-ups that wait or are parked."""

import pytest
from sqlalchemy import text

from store.engine.database import Database
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.outbox.manage import DeliveryActions
from store.quota.causes import Cause
from store.signups.accept import Signups
from store.signups.records import SignupRecords
from store.upkeep.retention import Retention
from tests.store.conftest import accept
from tests.support.signups import bare_signup

OLD, NEW, OTHER = (f"{digit * 8}-1111-4111-8111-111111111111" for digit in "123")
DAY = 86_400_000


def store(database: Database, name: str, lists: tuple[str, ...]) -> None:
    email = f"{name}@example.org"
    signup = bare_signup(name, email, at=1, lists=lists)
    wish = {"email_address": email, "list_memberships": list(lists), "tags": {"A": True}}
    Signups(database).accept(signup, kind="sign_up", payload=wish)


def claim(database: Database, now: int) -> Claimed:
    claimed = Deliveries(database, monotonic=lambda: 0.0).claim(now)
    assert isinstance(claimed, Claimed)
    return claimed


def test_a_list_is_replaced_in_all_that_wait_or_are_parked(database: Database) -> None:
    """The payload changes, the sign-up does not; deliveries to other lists are left alone."""
    for name, lists in (("a", (OLD,)), ("b", (OTHER, OLD)), ("c", (OLD, NEW)), ("d", (OTHER,))):
        store(database, name, lists)
    Deliveries(database).park(claim(database, 2_000), now=2_000, error="The list is gone.")
    assert DeliveryActions(database).replace_list(OLD, NEW, now=9_000, note="Replaced.") == 3
    assert DeliveryActions(database).replace_list(OLD, NEW, now=9_000, note="Replaced.") == 0
    sent = {}
    for number in range(4):
        claimed = claim(database, 10_000 + 2_000 * number)
        sent[claimed.source_id] = (claimed.payload["list_memberships"], claimed.attempts)
        assert claimed.payload["tags"] == {"A": True}
    assert sent == {"a": ([NEW], 1), "b": ([OTHER, NEW], 1), "c": ([NEW], 1), "d": ([OTHER], 1)}
    record = SignupRecords(database).find("a")
    assert record is not None
    assert (record.list_ids, record.note) == ((OLD,), "Replaced.")


def test_what_is_under_way_is_neither_changed_nor_dropped(database: Database) -> None:
    """The vendor may have taken it already."""
    store(database, "a", (OLD,))
    claimed = claim(database, 2_000)
    assert DeliveryActions(database).replace_list(OLD, NEW, now=3_000, note="Replaced.") == 0
    assert not DeliveryActions(database).drop("a", now=3_000, note="No.")
    assert Deliveries(database).delivered(claimed, now=3_000, contact_id="c", action="created")
    assert not DeliveryActions(database).drop("a", now=3_000, note="No.")


@pytest.mark.parametrize("parked", [False, True])
def test_a_dropped_one_stays_on_record_and_is_never_sent(database: Database, parked: bool) -> None:
    """With the reason; a retry of all leaves it alone, and thirty days later its payload is erased."""
    store(database, "a", (OLD,))
    if parked:
        Deliveries(database).park(claim(database, 2_000), now=2_000, error="Refused.")
    assert DeliveryActions(database).drop("a", now=3_000, note="A test.")
    assert not Deliveries(database).retry("a", now=4_000)
    assert not isinstance(Deliveries(database).claim(9_000), Claimed)
    record = SignupRecords(database).find("a")
    assert record is not None
    assert (record.state, record.note) == ("dropped", "A test.")
    assert Retention(database).prune(3_000 + 31 * DAY)
    with database.reading() as connection:
        assert connection.execute(text("SELECT payload FROM deliveries")).scalar() == "{}"


def test_a_cause_puts_its_rows_aside_many_at_a_time(database: Database) -> None:
    """The first claim already finds the good one behind them, and not one call is made for them."""
    for number in range(40):
        accept(database, f"bad{number}", contact=f"bad{number}@x.example", at=number)
    with database.transaction() as connection:
        connection.exec_driver_sql('UPDATE deliveries SET payload = \'{"list_memberships":["dead"]}\'')
        # As many more as would take long to store one by one.
        connection.exec_driver_sql(
            "INSERT INTO signups (id, received_at, contact_key, email, person, list_ids, asked_by)"
            " SELECT a.id || '-' || b.id, 50, a.id || b.id, '', '{}', '[]', 'form' FROM signups a, signups b"
        )
        connection.exec_driver_sql(
            "INSERT INTO deliveries"
            " (source_id, received_at, contact_key, kind, payload, state, due_at, fence, attempts)"
            " SELECT id, received_at, contact_key, 'sign_up', '{\"list_memberships\":[\"dead\"]}', 'ready',"
            " received_at, 0, 0 FROM signups WHERE id LIKE '%%-%%'"
        )
    accept(database, "good", contact="good@x.example", at=60)
    outbox = Deliveries(database, monotonic=lambda: 0.0)
    outbox.establish(Cause.of(("list:dead",), "The list is gone.", 1_000), (), now=1_000)
    found = outbox.claim(1_001)
    assert isinstance(found, Claimed)
    assert found.source_id == "good"
    for looks in range(5):
        assert not isinstance(outbox.claim(5_000 + looks), Claimed)
    assert outbox.backlog().parked == 40 + 1_600
