"""Sign-ups counted by the minute, in the transaction that stores them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, func, select

from store import (
    Database,
    IdempotencyKey,
    KeyTaken,
    Limit,
    Once,
    OverLimit,
    Signups,
    SuspectedSignups,
)
from store.arrivals import PRUNE_EVERY, Arrival, Arrivals
from store.rates import FLOOD, count
from store.schema import throttles
from store.signups import rows_of
from tests.store.conftest import in_threads
from tests.store.test_suspected import signup

MINUTE = 60_000
ADDRESS, NETWORK = Limit("address", "a", 2), Limit("network", "n", 3)


def accept(
    database: Database, name: str, *limits: Limit, at: int = MINUTE, broken: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The rules for which it is kept apart."""
    return Signups(database).accept(
        signup(name, at), kind="sign_up", payload={}, limits=limits, broken=broken
    )


def stored(database: Database) -> int:
    return len(Signups(database).recent(100))


def test_what_is_over_a_limit_is_kept_apart(database: Database) -> None:
    """Each limit counts by itself and is named; other keys are not concerned."""
    assert [accept(database, f"s{n}", ADDRESS, NETWORK) for n in range(3)] == [(), (), ("address",)]
    other = Limit("address", "b", 2)
    assert accept(database, "s3", other, NETWORK) == ("network",)
    assert accept(database, "s4", other) == ()
    assert accept(database, "s5", ADDRESS, NETWORK) == ("address", "network")
    assert accept(database, "s6") == ()
    assert stored(database) == 4
    assert SuspectedSignups(database).count() == 3


def test_counting_begins_anew_each_minute(database: Database) -> None:
    """Also where the minute was one of a clock that ran ahead."""
    for n in range(3):
        accept(database, f"s{n}", ADDRESS, NETWORK, at=2 * MINUTE - 1)
    assert accept(database, "s3", ADDRESS, at=2 * MINUTE) == ()
    assert accept(database, "s4", ADDRESS, at=MINUTE) == ()


def test_minutes_past_are_removed(database: Database) -> None:
    """Now and then, so that a flood of addresses leaves nothing behind."""
    signups = Signups(database)
    for n in range(2 * PRUNE_EVERY):
        limits = [Limit("address", f"a{n}", 2), Limit("network", f"n{n}", 2)]
        signups.accept(signup(f"s{n}", MINUTE * n), kind="sign_up", payload={}, limits=limits)
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(throttles)) == 2


def test_it_says_when_counting_begins_anew(database: Database) -> None:
    """In whole seconds, rounded up."""
    with pytest.raises(OverLimit) as caught:
        accept(database, "s1", Limit("none", "k", 0), at=MINUTE + 1_500)
    assert caught.value.retry_after == 59


def test_all_processes_count_together(
    url: str, database: Database, open_database: Callable[[str], Database]
) -> None:
    """Of sixteen at once, over two engines, exactly as many pass as may."""
    databases = [database, open_database(url)]
    limits = (Limit("address", "a", 50), Limit("network", "n", 5), Limit("form", "f", 50))
    outcomes = in_threads(16, lambda index: accept(databases[index % 2], f"s{index}", *limits))
    assert outcomes.count(()) == 5
    assert outcomes.count(("network",)) == 11
    assert stored(database) == 5


def test_suspected_ones_count_too_until_they_are_a_flood(database: Database) -> None:
    """Several times the limit is kept apart; the rest is refused and costs no room."""
    most = ADDRESS.most * FLOOD
    for n in range(most):
        assert "x" in accept(database, f"s{n}", ADDRESS, broken=("x",))
    for n in range(most, most + 3):
        with pytest.raises(OverLimit):
            accept(database, f"s{n}", ADDRESS, broken=("x",))
    assert SuspectedSignups(database).count() == most
    assert stored(database) == 0


def test_a_flood_is_refused_without_the_store(database: Database) -> None:
    """By the process that met it, to the end of the minute; others and later ones are not concerned."""
    signups = Signups(database)

    def take(name: str, key: str, at: int) -> tuple[str, ...]:
        limits = [Limit("address", key, 1)]
        return signups.accept(signup(name, at), kind="sign_up", payload={}, limits=limits)

    for n in range(FLOOD):
        take(f"s{n}", "flood", MINUTE + 59_000)
    for n in range(FLOOD, FLOOD + 3):
        with pytest.raises(OverLimit) as caught:
            take(f"s{n}", "flood", MINUTE + 59_000)
        assert (caught.value.rules, caught.value.retry_after) == (("address",), 2)
    assert hits(database, "flood") == FLOOD + 1
    assert take("other", "person", MINUTE + 59_000) == ()
    assert take("later", "flood", 2 * MINUTE) == ()


def hits(database: Database, key: str) -> int:
    with database.reading() as connection:
        found: int = connection.scalars(select(throttles.c.hits).where(throttles.c.key == key)).one()
    return found


def test_those_that_arrive_together_are_told_apart(database: Database) -> None:
    """In one transaction: the first pass, the next are kept apart, the last refused; none fails another."""
    arrivals = [arrival(f"s{n}", [Limit("network", "n", 1)]) for n in range(7)]
    arrivals += [arrival("person", [Limit("network", "m", 1)]), arrival("server", [])]
    with database.transaction() as connection:
        Arrivals().store(connection, arrivals)
    assert [each.reasons for each in arrivals[:5]] == [(), *[("network",)] * 4]
    assert [each.flood for each in arrivals] == [*[()] * 5, ("network",), ("network",), (), ()]
    assert {row.id for row in Signups(database).recent(10)} == {"s0", "person", "server"}
    assert SuspectedSignups(database).count() == 4
    assert (hits(database, "n"), hits(database, "m")) == (7, 1)


def test_one_proof_counts_for_one_of_those_that_arrive_together(database: Database) -> None:
    """For the first; and for none of a later transaction."""
    proof = Once("used", "hash", 10 * MINUTE)
    for names, reasons in ((("a", "b"), [(), ("used",)]), (("c",), [("used",)])):
        arrivals = [replace(arrival(name, []), once=proof) for name in names]
        with database.transaction() as connection:
            Arrivals().store(connection, arrivals)
        assert [each.reasons for each in arrivals] == reasons


def test_a_key_that_is_taken_spends_no_proof_and_counts_nothing(database: Database) -> None:
    """What is sent again is the sign-up that is there, not a second use of its proof."""
    key, signups = IdempotencyKey("k", "body"), Signups(database)
    proof, limits = Once("used", "hash", 10 * MINUTE), [Limit("address", "a", 5)]

    def take(name: str, proof: Once) -> tuple[str, ...]:
        return signups.accept(
            signup(name, MINUTE), kind="sign_up", payload={}, key=key, limits=limits, once=proof
        )

    assert take("a", Once("used", "first", 10 * MINUTE)) == ()
    with pytest.raises(KeyTaken):
        take("b", proof)
    assert hits(database, "a") == 1
    assert signups.accept(signup("c", MINUTE), kind="sign_up", payload={}, once=proof) == ()


def test_a_suspected_sign_up_takes_its_key(database: Database) -> None:
    """Sent again it is not kept twice."""
    key = IdempotencyKey("k", "body")
    for name in ("a", "b"):
        try:
            Signups(database).accept(signup(name), kind="sign_up", payload={}, key=key, broken=("x",))
        except KeyTaken:
            assert name == "b"
    assert SuspectedSignups(database).count() == 1
    first = Signups(database).first_with("k", now=10)
    assert first is not None
    assert first.signup_id == "a"


def arrival(name: str, limits: list[Limit]) -> Arrival:
    return Arrival(*rows_of(signup(name, MINUTE), "sign_up", {}), limits=limits)


def test_keys_are_locked_in_one_order(database: Database) -> None:
    """However the limits come: two transactions in different orders would wait for each other for ever."""
    statements: list[Any] = []
    limits = [Limit("one", "b", 9), Limit("two", "c", 9), Limit("three", "a", 9)]
    with database.transaction() as connection:

        def note(_connection: object, _cursor: object, _statement: str, values: Any, *_: object) -> None:
            statements.append(values)

        event.listen(connection, "before_cursor_execute", note)
        count(connection, [limits, limits[::-1]], now=MINUTE)
    assert [values[::4] for values in statements] == [("a", "b", "c")]
