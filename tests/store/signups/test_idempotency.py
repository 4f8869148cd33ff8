"""The sender's Idempotency-Key: one sign-up has it, for 48 hours."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from store.engine.database import Database
from store.errors import KeyTaken, StoreUnavailable
from store.schema.signups import idempotency_keys
from store.signups.accept import Signups
from store.signups.idempotency import KEPT_MS, FirstUse, IdempotencyKey
from store.signups.records import SignupFilter, SignupRecords
from tests.store.conftest import in_threads, signup

KEY = IdempotencyKey("key", "body")


def accept(signups: Signups, name: str, *, key: IdempotencyKey = KEY, at: int = 0) -> None:
    signups.accept(signup(name, at=at), kind="sign_up", payload={}, key=key)


def stored(database: Database) -> list[str]:
    return [row.id for row in SignupRecords(database).newest(SignupFilter(), 100)]


def test_a_key_leads_to_its_sign_up(database: Database) -> None:
    """With what was sent then, so that another body can be told from a repeat."""
    signups = Signups(database)
    assert signups.first_with("key", now=0) is None
    accept(signups, "s1")
    assert signups.first_with("key", now=1) == FirstUse("s1", "body")
    assert signups.first_with("other", now=1) is None


def test_a_second_sign_up_with_the_key_is_not_stored(database: Database) -> None:
    """Neither it nor its delivery, and the key stays with the first."""
    signups = Signups(database)
    accept(signups, "s1")
    with pytest.raises(KeyTaken):
        accept(signups, "s2", key=IdempotencyKey("key", "other body"), at=1)
    assert stored(database) == ["s1"]
    assert signups.first_with("key", now=1) == FirstUse("s1", "body")


def test_sign_ups_without_a_key_are_independent(database: Database) -> None:
    """They leave no key behind."""
    signups = Signups(database)
    for name in ("s1", "s2"):
        signups.accept(signup(name), kind="sign_up", payload={})
    assert sorted(stored(database)) == ["s1", "s2"]
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(idempotency_keys)) == 0


def test_of_many_at_once_one_is_stored(url: str, open_database: Callable[[str], Database]) -> None:
    """Also over the connections of several processes: the others raise KeyTaken."""
    databases = [open_database(url) for _ in range(2)]
    offices = [Signups(database) for database in databases]

    def send(number: int) -> bool:
        try:
            accept(offices[number % 2], f"s{number}")
        except KeyTaken:
            return False
        return True

    won = in_threads(8, send)
    assert won.count(True) == 1
    assert stored(databases[0]) == [f"s{won.index(True)}"]


def test_a_sign_up_that_is_not_stored_leaves_its_key_free(database: Database) -> None:
    """Key and sign-up are one transaction: after a failure the sender may repeat."""
    signups = Signups(database)
    accept(signups, "s1", key=IdempotencyKey("first", "body"))
    with pytest.raises(StoreUnavailable):
        accept(signups, "s1")
    assert signups.first_with("key", now=0) is None
    accept(signups, "s2")
    assert sorted(stored(database)) == ["s1", "s2"]


def test_after_48_hours_a_key_is_new_again(database: Database) -> None:
    """One millisecond before it is not."""
    signups = Signups(database)
    accept(signups, "s1")
    with pytest.raises(KeyTaken):
        accept(signups, "s2", at=KEPT_MS - 1)
    assert signups.first_with("key", now=KEPT_MS - 1) == FirstUse("s1", "body")
    assert signups.first_with("key", now=KEPT_MS) is None
    accept(signups, "s3", key=IdempotencyKey("key", "other body"), at=KEPT_MS)
    assert signups.first_with("key", now=KEPT_MS) == FirstUse("s3", "other body")


def test_old_keys_are_removed(database: Database) -> None:
    """The next sign-up with a key takes them away, and not the younger ones."""
    signups = Signups(database)
    accept(signups, "s1", key=IdempotencyKey("old", "body"))
    accept(signups, "s2", key=IdempotencyKey("young", "body"), at=1)
    accept(signups, "s3", at=KEPT_MS)
    with database.reading() as connection:
        kept = connection.scalars(select(idempotency_keys.c.key_hash)).all()
    assert sorted(kept) == ["key", "young"]


def test_a_taken_key_hinders_no_other_sign_up(database: Database) -> None:
    """Those that are stored at the same time, perhaps together, are stored all the same."""
    signups = Signups(database)

    def send(number: int) -> bool:
        try:
            accept(signups, f"s{number}", key=KEY if number % 2 else IdempotencyKey(f"own {number}", "body"))
        except KeyTaken:
            return False
        return True

    stored_by = in_threads(12, send)
    assert all(stored_by[::2])
    assert stored_by[1::2].count(True) == 1
    assert sorted(stored(database)) == sorted(f"s{number}" for number, done in enumerate(stored_by) if done)
