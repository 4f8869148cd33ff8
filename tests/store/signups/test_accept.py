"""Accepting sign-ups and looking them up."""

from __future__ import annotations

import pytest

from store.engine.database import Database
from store.errors import StoreUnavailable
from store.outbox.deliveries import Deliveries
from store.signups.accept import RecentSignup, Signups, SignupStatus
from tests.store.conftest import accept, signup


def test_accepted_signup_is_found_and_due_at_once(database: Database) -> None:
    """What was accepted is waiting, untried, due when it came in."""
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
    """An id nobody was given finds nothing."""
    accept(database, "s1")
    assert Signups(database).find("s2") is None


def test_signup_without_delivery_is_not_stored(database: Database) -> None:
    """When the delivery cannot be stored, the sign-up is not stored either."""
    with pytest.raises(StoreUnavailable):
        Signups(database).accept(signup("s1"), kind=None, payload={})  # type: ignore[arg-type]
    accept(database, "s1")  # the id is still free
    assert len(Signups(database).recent(10)) == 1


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
    assert [recent.id for recent in Signups(database).recent(2)] == ["s3", "s2"]


def test_recent_holds_what_was_submitted(database: Database) -> None:
    """A line of the dashboard shows person, lists and progress as stored."""
    accept(database, "s1", at=5)
    assert Signups(database).recent(1) == [
        RecentSignup(
            id="s1",
            received_at=5,
            email="s1@example.org",
            first_name="Ada",
            last_name="Lovelace",
            list_ids=("list-1", "list-2"),
            source="footer",
            asked_by="form",
            state="ready",
            action=None,
            attempts=0,
            last_error=None,
            due_at=5,
        )
    ]
