"""Sign-ups counted by the minute, in the transaction that stores them."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, func, select

from store.engine.database import Database
from store.errors import KeyTaken, OverLimit
from store.schema.signups import RATE_SLICES, RATE_WINDOWS, rates
from store.signups.accept import Signups, rows_of
from store.signups.batch import PRUNE_EVERY, Arrival, Arrivals, Judgement, OneTimeUse
from store.signups.idempotency import IdempotencyKey
from store.signups.rate_limits import FLOOD, Counted, Flood, Limit, count
from store.signups.records import SignupFilter, SignupRecords
from store.signups.suspected import SuspectedSignups
from tests.store.conftest import in_threads
from tests.store.signups.test_suspected import signup

MINUTE, HOUR, DAY = RATE_WINDOWS.values()
ADDRESS, NETWORK = Limit("address", "a", 2), Limit("network", "n", 3)


def accept(
    database: Database, name: str, *limits: Limit, at: int = MINUTE, broken: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Accept a sign-up, and return the rules for which it is suspected."""
    return Signups(database).accept(
        signup(name, at), kind="sign_up", payload={}, judgement=Judgement(limits=limits, broken=broken)
    )


def stored(database: Database) -> int:
    return len(SignupRecords(database).newest(SignupFilter(), 100))


def test_what_is_over_a_limit_is_suspected(database: Database) -> None:
    """Each limit counts by itself and is named; other keys are not concerned."""
    assert [accept(database, f"s{n}", ADDRESS, NETWORK) for n in range(3)] == [(), (), ("address",)]
    other = Limit("address", "b", 2)
    assert accept(database, "s3", other, NETWORK) == ("network",)
    assert accept(database, "s4", other) == ()
    assert accept(database, "s5", ADDRESS, NETWORK) == ("address", "network")
    assert accept(database, "s6") == ()
    assert stored(database) == 4
    assert SuspectedSignups(database).counts().total == 3


def test_the_edge_of_a_minute_is_no_edge(database: Database) -> None:
    """As many as allowed just before it and again just after it would be twice as many in a minute."""
    limit = Limit("address", "a", 20)
    outcomes = [accept(database, f"a{n}", limit, at=10 * MINUTE - 450) for n in range(20)]
    outcomes += [accept(database, f"b{n}", limit, at=10 * MINUTE + 450) for n in range(20)]
    assert outcomes == [()] * 20 + [("address",)] * 20


@pytest.mark.parametrize(
    ("window", "length", "most"), [("minute", MINUTE, 12), ("hour", HOUR, 9), ("day", DAY, 9)]
)
def test_no_interval_holds_more_than_may(database: Database, window: str, length: int, most: int) -> None:
    """Wherever the interval begins, and however the events come; a sixth of it later they do not count."""
    limit, chance = Limit("address", "a", **{window: most}), random.Random(7)
    times, now = list[int](), 3 * DAY
    for _ in range(150):
        now += chance.choice((0, 1, length // 100, length // 13, length // 5))
        with database.transaction() as connection:
            if count(connection, [[limit]], now=now) == [Counted()]:
                times.append(now)
    for first, beyond in zip(times, times[most:], strict=False):
        assert beyond - first >= length
    with database.transaction() as connection:
        assert count(connection, [[limit]], now=now + length + length // RATE_SLICES) == [Counted()]


def test_the_slower_limits_add_up(database: Database) -> None:
    """Twenty a minute are no 28,800 a day; each is named by its window, the shortest first."""
    limit = Limit("address", "a", minute=2, hour=5, day=9)
    names = Counter[tuple[str, ...]]()
    with database.transaction() as connection:
        for minute in range(24 * 60):
            (found,) = count(connection, [[limit]], now=3 * DAY + minute * MINUTE)
            names[found.over] += 1
    assert names == {(): 5, ("address_hour",): 24 * 60 - 5}
    patient, names = replace(limit, key="b"), Counter()
    with database.transaction() as connection:
        for hour in range(0, 20, 2):
            for found in count(connection, [[patient]] * 2, now=3 * DAY + hour * HOUR):
                names[found.over] += 1
    assert names == {(): 9, ("address_day",): 11}


def test_a_minute_that_another_process_has_begun_is_the_same(database: Database) -> None:
    """A writer that waited for the lock comes with an older time, which does not reset the count."""
    limit = Limit("address", "a", 2)
    for name, at, reasons in (
        ("s0", 10 * MINUTE + 1, ()),
        ("s1", 10 * MINUTE - 9_000, ()),
        ("s2", 10 * MINUTE - 1, ("address",)),
        ("s3", 10 * MINUTE + 2, ("address",)),
    ):
        assert accept(database, name, limit, at=at) == reasons


def test_counting_begins_anew_after_a_clock_was_set_back(database: Database) -> None:
    """Counts of a time in the future would otherwise last until the clock reaches it."""
    for n in range(3):
        accept(database, f"s{n}", ADDRESS, NETWORK, at=50 * MINUTE)
    assert accept(database, "s3", ADDRESS, at=MINUTE) == ()


def test_days_past_are_removed(database: Database) -> None:
    """Some with each sign-up, so that a flood of addresses leaves no rows behind."""
    signups = Signups(database)
    for n in range(2 * PRUNE_EVERY):
        limits = [Limit(place, f"{place}{n}", 2) for place in ("address", "network", "site")]
        signups.accept(
            signup(f"s{n}", 2 * DAY * n), kind="sign_up", payload={}, judgement=Judgement(limits=limits)
        )
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(rates)) == 3


def test_it_says_when_the_count_is_lower(database: Database) -> None:
    """In whole seconds, rounded up: at the earliest when the slice is over."""
    with pytest.raises(OverLimit) as caught:
        accept(database, "s1", Limit("none", "k", 0), at=MINUTE + 1_500)
    assert caught.value.retry_after == 9
    with pytest.raises(OverLimit) as caught:
        accept(database, "s2", Limit("none", "k", day=0), at=MINUTE + 1_500)
    assert caught.value.retry_after == 4 * 3_600 - 61


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
    """Up to several times the limit are suspected; the rest is refused and takes no room."""
    most = 2 * FLOOD
    for n in range(most):
        assert "x" in accept(database, f"s{n}", ADDRESS, broken=("x",))
    for n in range(most, most + 3):
        with pytest.raises(OverLimit):
            accept(database, f"s{n}", ADDRESS, broken=("x",))
    assert SuspectedSignups(database).counts().total == most
    assert stored(database) == 0


def test_a_flood_is_refused_without_the_store(database: Database) -> None:
    """By the process that met it, until the count falls; others and later ones are not concerned."""
    signups = Signups(database)

    def take(name: str, key: str, at: int) -> tuple[str, ...]:
        limits = [Limit("address", key, 1)]
        return signups.accept(
            signup(name, at), kind="sign_up", payload={}, judgement=Judgement(limits=limits)
        )

    for n in range(FLOOD):
        take(f"s{n}", "flood", MINUTE + 59_000)
    for n in range(FLOOD, FLOOD + 3):
        with pytest.raises(OverLimit) as caught:
            take(f"s{n}", "flood", MINUTE + 59_000)
        assert (caught.value.rules, caught.value.retry_after) == (("address",), 2)
    assert hits(database, "flood") == FLOOD + 1
    assert take("other", "person", MINUTE + 59_000) == ()
    assert take("later", "flood", 3 * MINUTE + 10_000) == ()


def hits(database: Database, key: str) -> int:
    with database.reading() as connection:
        row = connection.execute(select(rates).where(rates.c.key == key)).mappings().one()
    return sum(row[f"minute_{place}"] for place in range(RATE_SLICES + 1))


def test_those_that_arrive_together_are_told_apart(database: Database) -> None:
    """In one transaction: the first pass, the next are suspected, the last refused; none fails another."""
    arrivals = [arrival(f"s{n}", [Limit("network", "n", 1)]) for n in range(7)]
    arrivals += [arrival("person", [Limit("network", "m", 1)]), arrival("server", [])]
    with database.transaction() as connection:
        Arrivals().store(connection, arrivals)
    assert [each.reasons for each in arrivals[:5]] == [(), *[("network",)] * 4]
    flood = (Flood("network", "n", MINUTE + 10_000),)
    assert [each.flood for each in arrivals] == [*[()] * 5, flood, flood, (), ()]
    assert {row.id for row in SignupRecords(database).newest(SignupFilter(), 10)} == {
        "s0",
        "person",
        "server",
    }
    assert SuspectedSignups(database).counts().total == 4
    assert (hits(database, "n"), hits(database, "m")) == (7, 1)


def test_one_proof_counts_for_one_of_those_that_arrive_together(database: Database) -> None:
    """For the first of them, and for none of a later transaction."""
    proof = OneTimeUse("used", "hash", 10 * MINUTE)
    for names, reasons in ((("a", "b"), [(), ("used",)]), (("c",), [("used",)])):
        arrivals = [replace(arrival(name, []), once=proof) for name in names]
        with database.transaction() as connection:
            Arrivals().store(connection, arrivals)
        assert [each.reasons for each in arrivals] == reasons


def test_a_key_that_is_taken_spends_no_proof_and_counts_nothing(database: Database) -> None:
    """A repeat is the stored sign-up, not a second use of its proof of work."""
    key, signups = IdempotencyKey("k", "body"), Signups(database)
    proof, limits = OneTimeUse("used", "hash", 10 * MINUTE), [Limit("address", "a", 5)]

    def take(name: str, proof: OneTimeUse) -> tuple[str, ...]:
        return signups.accept(
            signup(name, MINUTE),
            kind="sign_up",
            payload={},
            key=key,
            judgement=Judgement(limits=limits, once=proof),
        )

    assert take("a", OneTimeUse("used", "first", 10 * MINUTE)) == ()
    with pytest.raises(KeyTaken):
        take("b", proof)
    assert hits(database, "a") == 1
    assert (
        signups.accept(signup("c", MINUTE), kind="sign_up", payload={}, judgement=Judgement(once=proof)) == ()
    )


def test_a_suspected_sign_up_takes_its_key(database: Database) -> None:
    """A repeat is not stored twice."""
    key = IdempotencyKey("k", "body")
    for name in ("a", "b"):
        try:
            Signups(database).accept(
                signup(name), kind="sign_up", payload={}, key=key, judgement=Judgement(broken=("x",))
            )
        except KeyTaken:
            assert name == "b"
    assert SuspectedSignups(database).counts().total == 1
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
    each = 2 + 2 * len(RATE_WINDOWS)
    assert [values[::each] for values in statements] == [("a", "b", "c")]
