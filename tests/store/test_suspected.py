"""Sign-ups kept apart: nothing is due for them until they are released."""

import json

import pytest

from store import Database, NewSignup, Signups, Suspect, SuspectedSignups
from store.schema import deliveries
from tests.store.conftest import in_threads

PAYLOAD = {"email_address": "ada@example.org"}


@pytest.fixture
def suspected(database: Database) -> SuspectedSignups:
    return SuspectedSignups(database)


def signup(name: str, at: int = 10) -> NewSignup:
    return NewSignup(
        id=name,
        received_at=at,
        contact_key=f"{name}@example.org",
        email=f"{name}@example.org",
        person={"first_name": "Ada"},
        list_ids=("l1", "l2"),
        source="footer",
        consent="I agree.",
        page="https://www.example.org/",
        network_address="192.0.2.1",
        user_agent="bot",
        asked_by="form",
        form_id=7,
        consent_version=2,
    )


def keep(database: Database, name: str, at: int = 10) -> NewSignup:
    kept = signup(name, at)
    reasons = Signups(database).accept(kept, kind="sign_up", payload=PAYLOAD, broken=("honeypot", "too_fast"))
    assert reasons == ("honeypot", "too_fast")
    return kept


def test_what_is_kept_apart_is_no_sign_up(database: Database, suspected: SuspectedSignups) -> None:
    """It is found among the suspected, and nowhere else."""
    kept = keep(database, "s1")
    found = suspected.find("s1")
    assert found == Suspect(
        id="s1",
        received_at=10,
        email=kept.email,
        person=kept.person,
        list_ids=kept.list_ids,
        form_id=7,
        page=kept.page,
        network_address=kept.network_address,
        reasons=("honeypot", "too_fast"),
        released_at=None,
    )
    assert suspected.find("s2") is None
    assert Signups(database).find("s1") is None
    with database.reading() as connection:
        assert connection.execute(deliveries.select()).all() == []


def test_those_that_wait_are_listed_newest_first(database: Database, suspected: SuspectedSignups) -> None:
    """Without those that were released or deleted, and no more than asked for."""
    for at, name in enumerate(("a", "b", "c", "d", "e")):
        keep(database, name, at)
    assert suspected.release("b", now=99)
    assert suspected.delete("c")
    assert [suspect.id for suspect in suspected.waiting(2)] == ["e", "d"]
    assert suspected.count() == 3


def test_released_it_is_due_like_any_other(database: Database, suspected: SuspectedSignups) -> None:
    """With its id, its evidence and the time it was received; due from now on."""
    keep(database, "s1", at=10)
    assert suspected.release("s1", now=500)
    with database.reading() as connection:
        row = connection.exec_driver_sql("SELECT * FROM signups").mappings().one()
        delivery = connection.execute(deliveries.select()).mappings().one()
    expected = vars(signup("s1")) | {"person": '{"first_name":"Ada"}', "list_ids": '["l1","l2"]'}
    assert {name: row[name] for name in expected} == expected
    assert (delivery["state"], delivery["due_at"], delivery["received_at"]) == ("ready", 500, 10)
    assert json.loads(delivery["payload"]) == PAYLOAD
    found = suspected.find("s1")
    assert found is not None
    assert found.released_at == 500


def test_it_is_released_once(database: Database, suspected: SuspectedSignups) -> None:
    """However many press the button at once, and it cannot be deleted after."""
    keep(database, "s1")
    outcomes = in_threads(8, lambda _index: suspected.release("s1", now=500))
    assert outcomes.count(True) == 1
    assert not suspected.delete("s1")
    assert not suspected.release("unknown", now=500)
    with database.reading() as connection:
        assert len(connection.execute(deliveries.select()).all()) == 1


def test_deleted_it_is_gone(database: Database, suspected: SuspectedSignups) -> None:
    """Nothing is left to release."""
    keep(database, "s1")
    assert suspected.delete("s1")
    assert suspected.find("s1") is None
    assert not suspected.release("s1", now=500)
