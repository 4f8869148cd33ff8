"""Deliveries that no sign-up asked for, on each engine."""

import pytest

from store.engine import documents
from store.engine.copies import DAY_MS
from store.engine.database import Database
from store.opt_outs import OptOuts
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.outbox.requested import Added, NewRequest, RequestedDeliveries
from store.signups.records import SignupFilter, SignupRecords
from store.upkeep.retention import Retention
from tests.store.conftest import accept

ANN = "ann@example.org"
PAYLOAD = {"email_address": ANN, "opt_out_reason": "asked by phone"}


def request(request_id: str, *, kind: str = "leave", at: int = 10) -> NewRequest:
    return NewRequest(request_id, "command", kind, ANN, PAYLOAD, at)


def claimed(database: Database, now: int) -> Claimed:
    found = Deliveries(database, monotonic=lambda: 0.0).claim(now)
    assert isinstance(found, Claimed)
    return found


def test_it_is_claimed_behind_the_contacts_older_sign_ups(database: Database) -> None:
    """Ordered with them, merged with none, and no sign-up's."""
    accept(database, "older", contact=ANN, at=1)
    RequestedDeliveries(database).add(request("c1"))
    accept(database, "younger", contact=ANN, at=20)
    deliveries = Deliveries(database, monotonic=lambda: 0.0)
    for now, source, younger in ((1_000, "older", 0), (3_000, "c1", 0), (5_000, "younger", 0)):
        found = claimed(database, now)
        assert (found.source_id, len(found.younger)) == (source, younger)
        assert deliveries.delivered(found, now=now, contact_id=None, action="done")
    assert [row.id for row in SignupRecords(database).newest(SignupFilter(), 10)] == ["younger", "older"]


def test_the_payload_and_the_kind_come_back(database: Database) -> None:
    """What the kind needs to carry it out."""
    RequestedDeliveries(database).add(request("c1"))
    found = claimed(database, 1_000)
    assert (found.source, found.kind, found.payload, found.form_id) == ("command", "leave", PAYLOAD, None)
    assert "kind:leave" in found.traits
    assert found.log_id == {"command_id": "c1"}


def test_two_of_a_kind_for_one_contact_are_one(database: Database) -> None:
    """While the first waits, is under way or is parked; another kind is another delivery."""
    requested = RequestedDeliveries(database)
    assert requested.add(request("c1")) == Added("c1")
    assert requested.add(request("c2")) == Added("c1", "ready")
    assert requested.add(request("other", kind="other")) == Added("other")
    first = claimed(database, 1_000)
    assert requested.add(request("c3")) == Added("c1", "sending")
    deliveries = Deliveries(database, monotonic=lambda: 0.0)
    deliveries.park(first, now=1_100, error="Refused.")
    assert requested.add(request("c4")) == Added("c1", "parked")
    assert deliveries.retry("c1", now=1_200)
    assert [each.id for each in requested.newest(10)] == ["other", "c1"]


def test_the_table_of_opt_outs_knows_it_in_the_same_transaction(database: Database) -> None:
    """As one that waits, and afterwards as one that has left."""
    requested, opt_outs = RequestedDeliveries(database), OptOuts(database)
    requested.add(request("c1", at=10))
    assert opt_outs.standing(ANN).leaves_at == 10
    found = claimed(database, 1_000)
    assert opt_outs.standing(ANN).leaves_at == 10
    Deliveries(database).delivered(found, now=2_000, contact_id=None, action="done")
    standing = opt_outs.standing(ANN)
    assert standing.leaves_at is None
    assert standing.opt_out is not None
    assert standing.opt_out.left_at == 10
    assert requested.add(request("c2", at=3_000)) == Added("c2", left_at=10)


def test_what_was_done_is_blanked_in_time(database: Database) -> None:
    """The payload holds the address and the reason."""
    requested = RequestedDeliveries(database)
    requested.add(request("c1"))
    found = claimed(database, 1_000)
    Deliveries(database).delivered(found, now=2_000, contact_id="c", action="done")
    Retention(database).prune(2_000 + 30 * DAY_MS)
    (blank,) = requested.newest(10)
    assert (blank.payload, blank.state) == ({}, "delivered")


def test_parked_ones_are_none_of_the_parked_sign_ups(database: Database) -> None:
    """Whoever sends all parked sign-ups again means sign-ups."""
    RequestedDeliveries(database).add(request("c1"))
    Deliveries(database).park(claimed(database, 1_000), now=1_100, error="Refused.")
    assert list(SignupRecords(database).parked_ids()) == []
    assert Deliveries(database).backlog().parked == 1


@pytest.mark.parametrize("name", ["signup_id", "source_id"])
def test_a_document_of_an_earlier_release_names_its_sign_up(name: str) -> None:
    """In spools, second copies and suspected sign-ups."""
    assert documents.row_read({name: "s1", "state": "ready"}) == {"source_id": "s1", "state": "ready"}
