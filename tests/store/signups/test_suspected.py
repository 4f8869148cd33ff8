"""Suspected sign-ups: they have no delivery until they are released."""

import json

import pytest

from store.engine.database import Database
from store.schema.outbox import deliveries
from store.signups.accept import NewSignup, Signups
from store.signups.batch import JUNK, PROVEN, UNSURE, Judgement, OneTimeUse
from store.signups.rate_limits import Limit
from store.signups.suspected import BATCH, Place, Suspect, SuspectedSignups, Waiting
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


def keep(
    database: Database,
    name: str,
    at: int = 10,
    *,
    broken: tuple[str, ...] = ("honeypot", "too_fast"),
    rank: int = UNSURE,
) -> NewSignup:
    kept = signup(name, at)
    reasons = Signups(database).accept(
        kept, kind="sign_up", payload=PAYLOAD, judgement=Judgement(broken=broken, rank=rank)
    )
    assert reasons == broken
    return kept


def test_a_suspected_one_is_no_sign_up(database: Database, suspected: SuspectedSignups) -> None:
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
        rank=UNSURE,
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
    assert suspected.counts().total == 3


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


def names(found: list[Suspect]) -> list[str]:
    return [suspect.id for suspect in found]


def test_the_likeliest_people_come_first_and_junk_last(
    database: Database, suspected: SuspectedSignups
) -> None:
    """Of each rank the newest first; pages follow each other without a gap, also where times are equal."""
    for at, name, rank in (
        (1, "a", JUNK),
        (2, "b", UNSURE),
        (2, "c", UNSURE),
        (3, "d", PROVEN),
        (4, "e", JUNK),
        (5, "f", UNSURE),
        (0, "g", PROVEN),
    ):
        keep(database, name, at, rank=rank)
    everything = suspected.waiting(10)
    assert names(everything) == ["d", "g", "f", "c", "b", "e", "a"]
    assert suspected.counts() == Waiting(proven=2, unsure=3, junk=2)
    assert suspected.counts().total == 7
    for size in (1, 2, 3, 7):
        paged, after = list[Suspect](), None
        while found := suspected.waiting(size, after=after):
            paged += found
            after = Place(found[-1].rank, found[-1].received_at, found[-1].id)
        assert paged == everything


def test_they_are_found_by_address_and_by_reason(database: Database, suspected: SuspectedSignups) -> None:
    """A rule is found by its whole name, alone and among others."""
    keep(database, "a", broken=("address_rate",))
    keep(database, "b", broken=("form_full", "address_rate_hour"), rank=JUNK)
    keep(database, "c", 11, broken=("address_rate_hour",), rank=PROVEN)
    assert names(suspected.waiting(10, reason="address_rate_hour")) == ["c", "b"]
    assert names(suspected.waiting(10, reason="address_rate")) == ["a"]
    assert names(suspected.waiting(10, after=Place(PROVEN, 11, "c"), reason="address_rate_hour")) == ["b"]
    assert names(suspected.of_contact("a@example.org", 10)) == ["a"]
    suspected.release("a", now=20)
    assert suspected.of_contact("a@example.org", 10) == []
    assert suspected.of_contact("z@example.org", 10) == []


def test_those_since_the_last_look_are_counted(database: Database, suspected: SuspectedSignups) -> None:
    """Of those that wait still."""
    for at, name in enumerate(("a", "b", "c", "d")):
        keep(database, name, at)
    suspected.delete("d")
    assert (suspected.newer(0), suspected.newer(1), suspected.newer(2)) == (2, 1, 0)


def test_all_of_a_reason_are_released_at_once(database: Database, suspected: SuspectedSignups) -> None:
    """Those that were seen, in batches; each with the time it was received, and due now. Others stay."""
    for n in range(BATCH + 50):
        keep(database, f"r{n:03}", n, broken=("form_rate",))
    keep(database, "trap", 5)
    keep(database, "late", 10_000, broken=("form_rate",))
    assert suspected.release_of("form_rate", seen=9_999, now=20_000, most=10_000) == BATCH + 50
    assert names(suspected.waiting(10)) == ["late", "trap"]
    assert suspected.release_of("form_rate", seen=9_999, now=20_000, most=10_000) == 0
    with database.reading() as connection:
        rows = connection.execute(deliveries.select().order_by(deliveries.c.received_at)).all()
    assert [(row.received_at, row.due_at, row.state) for row in rows[:2]] == [
        (0, 20_000, "ready"),
        (1, 20_000, "ready"),
    ]
    assert len(rows) == BATCH + 50


def test_a_request_decides_on_so_many_at_most(database: Database, suspected: SuspectedSignups) -> None:
    """The rest is left for the next request; a batch is finished."""
    for n in range(3 * BATCH):
        keep(database, f"r{n:03}", n, broken=("form_rate",))
    assert suspected.delete_of("form_rate", seen=9_999, most=BATCH + 1) == 2 * BATCH
    assert suspected.counts().total == BATCH


def test_deleting_all_of_a_reason_leaves_who_solved_a_captcha(
    database: Database, suspected: SuspectedSignups
) -> None:
    """An admin decides on each of them; releasing all of a reason includes them."""
    keep(database, "a", broken=("form_rate",), rank=PROVEN)
    keep(database, "b", broken=("form_rate",))
    keep(database, "c", broken=("form_rate",), rank=JUNK)
    assert suspected.delete_of("form_rate", seen=99, most=100) == 2
    assert names(suspected.waiting(10)) == ["a"]
    assert suspected.release_of("form_rate", seen=99, now=100, most=100) == 1


def test_many_admins_at_once_decide_once(database: Database, suspected: SuspectedSignups) -> None:
    """Each sign-up is released or deleted by one of them, and counted by that one."""
    for n in range(60):
        keep(database, f"r{n:03}", n, broken=("form_rate",))

    def decide(index: int) -> int:
        if index % 2:
            return suspected.release_of("form_rate", seen=9_999, now=100, most=1_000)
        return suspected.delete_of("form_rate", seen=9_999, most=1_000)

    assert sum(in_threads(6, decide)) == 60
    assert suspected.counts().total == 0


def test_a_better_proof_releases_within_the_limits(database: Database, suspected: SuspectedSignups) -> None:
    """Over a limit, or with a spent proof, it stays; a release counts and spends like a new sign-up."""
    for name in ("a", "b", "c"):
        keep(database, name, at=10)
    limits, proof = [Limit("address_rate", "k", 1)], OneTimeUse("used_proof", "hash", 10**6)
    assert suspected.try_again("a", now=500, believed=True, limits=limits, once=proof)
    assert not suspected.try_again("b", now=500, believed=True, limits=limits)
    assert not suspected.try_again("b", now=500, believed=True, once=proof)
    assert not suspected.try_again("a", now=500, believed=True)
    assert suspected.try_again("c", now=500, believed=True)
    with database.reading() as connection:
        rows = connection.execute(deliveries.select()).all()
    assert {(row.source_id, row.received_at, row.due_at) for row in rows} == {("a", 10, 500), ("c", 10, 500)}


def test_a_better_proof_counts_once(database: Database, suspected: SuspectedSignups) -> None:
    """However many tries come in at once with one proof, for however many that are kept."""
    for n in range(8):
        keep(database, f"s{n}")
    proof = OneTimeUse("used_proof", "hash", 10**6)
    outcomes = in_threads(8, lambda n: suspected.try_again(f"s{n}", now=500, believed=True, once=proof))
    assert outcomes.count(True) == 1


def test_a_proof_that_was_used_before_proves_nothing(database: Database, suspected: SuspectedSignups) -> None:
    """Its rank is that of sign-ups without a proof."""
    proof = OneTimeUse("used_proof", "hash", 10**6)
    for name in ("a", "b"):
        Signups(database).accept(
            signup(name),
            kind="sign_up",
            payload=PAYLOAD,
            judgement=Judgement(broken=("form_full",), once=proof, rank=PROVEN),
        )
    assert [(each.id, each.rank) for each in suspected.waiting(10)] == [("a", PROVEN), ("b", UNSURE)]


def test_a_captcha_that_is_solved_later_counts_for_the_rank(
    database: Database, suspected: SuspectedSignups
) -> None:
    """Where the second try breaks a rule too, or is over a limit, it is kept, and never deleted unseen."""
    limit = Limit("address_rate", "k", 0)
    for name in ("a", "b", "c"):
        keep(database, name, rank=JUNK)
    assert not suspected.try_again("a", now=500, believed=False, rank=PROVEN)
    assert not suspected.try_again("b", now=500, believed=True, limits=[limit], rank=PROVEN)
    assert {each.id: each.rank for each in suspected.waiting(10)} == {"a": PROVEN, "b": PROVEN, "c": JUNK}
    assert not suspected.try_again("a", now=500, believed=False, rank=UNSURE)
    assert suspected.counts() == Waiting(proven=2, unsure=0, junk=1)
