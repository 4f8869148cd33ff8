"""Accepting sign-ups and looking them up."""

import pytest

from store.engine.database import Database
from store.errors import StoreUnavailable
from store.outbox.deliveries import Deliveries
from store.signups.accept import Signups, SignupStatus
from store.signups.records import SignupFilter, SignupRecords
from tests.store.conftest import accept, signup


def test_accepted_signup_is_found_and_due_at_once(database: Database) -> None:
    """An accepted sign-up waits, untried, due at the time it came in."""
    accept(database, "s1", at=1_000)
    assert Signups(database).find("s1") == SignupStatus(
        id="s1",
        received_at=1_000,
        state="ready",
        action=None,
        attempts=0,
        last_error=None,
        due_at=1_000,
        contact_id=None,
    )


def test_unknown_signup_is_none(database: Database) -> None:
    """An id that was never given out finds nothing."""
    accept(database, "s1")
    assert Signups(database).find("s2") is None


def test_signup_without_delivery_is_not_stored(database: Database) -> None:
    """When the delivery cannot be stored, the sign-up is not stored either."""
    with pytest.raises(StoreUnavailable):
        Signups(database).accept(signup("s1"), kind=None, payload={})  # type: ignore[arg-type]
    accept(database, "s1")  # the id is still free
    assert len(SignupRecords(database).newest(SignupFilter(), 10)) == 1


def test_delivered_signup_shows_the_result(database: Database) -> None:
    """After a delivery the status holds its result and no further due time."""
    accept(database, "s1", at=1_000)
    deliveries = Deliveries(database)
    claimed = deliveries.claim(2_000)
    deliveries.delivered(claimed, now=2_100, contact_id="c-1", action="created")  # type: ignore[arg-type]
    status = Signups(database).find("s1")
    assert status is not None
    assert (status.state, status.action, status.contact_id) == ("delivered", "created", "c-1")
    assert (status.attempts, status.due_at) == (1, None)


def test_recent_is_newest_first_and_limited(database: Database) -> None:
    """The dashboard's list starts with the latest sign-up and ends at the limit."""
    for index, name in enumerate(["s1", "s2", "s3"]):
        accept(database, name, at=index)
    assert [recent.id for recent in SignupRecords(database).newest(SignupFilter(), 2)] == ["s3", "s2"]


def test_recent_holds_what_was_submitted(database: Database) -> None:
    """A line of the dashboard shows person, lists and progress as stored."""
    accept(database, "s1", at=5)
    (record,) = SignupRecords(database).newest(SignupFilter(), 1)
    assert (record.id, record.received_at, record.email) == ("s1", 5, "s1@example.org")
    assert record.person == {"first_name": "Ada", "last_name": "Lovelace"}
    assert (record.list_ids, record.source, record.asked_by) == (("list-1", "list-2"), "footer", "form")
    assert (record.state, record.attempts, record.due_at) == ("ready", 0, 5)
    assert (record.action, record.last_error) == (None, None)
