"""Who may do what: the admin's password and links, API keys, the drain token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from services import AdminAccess, ApiKeys, DrainToken, TooManyAttempts
from store import Database, SpentTokens, Throttles
from tests.services.conftest import Clock


class Gate:
    """An admin access whose clock the test moves."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.database = Database(f"sqlite:///{path / 'test.db'}")

    def access(self, password: str = "correct horse", secret_key: str = "k" * 32) -> AdminAccess:
        return AdminAccess(
            password=password,
            secret_key=secret_key,
            throttles=Throttles(self.database),
            spent_tokens=SpentTokens(self.database),
            clock=self.clock,
        )


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path)
    yield gate
    gate.database.close()


def test_only_the_right_password_signs_in(gate: Gate) -> None:
    """The right one gives a stamp that is current, any other gives nothing."""
    access = gate.access()
    stamp = access.sign_in("correct horse", "192.0.2.1")
    assert access.is_current(stamp)
    assert access.sign_in("Correct horse", "192.0.2.1") is None
    assert not access.is_current(None)
    assert not access.is_current("")


def test_the_password_may_be_given_as_a_hash(gate: Gate) -> None:
    """The environment need not hold it in clear."""
    access = gate.access(generate_password_hash("correct horse", "scrypt"))
    assert access.sign_in("correct horse", "192.0.2.1")


def test_a_new_password_ends_all_sessions(gate: Gate) -> None:
    """The stamp changes with the password and with the secret key."""
    stamp = gate.access().sign_in("correct horse", "192.0.2.1")
    assert not gate.access("another horse").is_current(stamp)
    assert not gate.access(secret_key="x" * 32).is_current(stamp)


def test_the_eleventh_try_in_a_quarter_of_an_hour_is_refused(gate: Gate) -> None:
    """Even with the right password, from any process; other networks are free; time heals."""
    for _ in range(10):
        assert gate.access().sign_in("guess", "192.0.2.1") is None
    with pytest.raises(TooManyAttempts) as caught:
        gate.access().sign_in("correct horse", "192.0.2.1")
    assert 0 < caught.value.retry_after <= 900
    assert gate.access().sign_in("correct horse", "192.0.2.2")
    gate.clock.now += caught.value.retry_after * 1000
    assert gate.access().sign_in("correct horse", "192.0.2.1")


def test_one_ipv6_household_is_one_network(gate: Gate) -> None:
    """Addresses of one /64 share their tries."""
    for number in range(10):
        gate.access().sign_in("guess", f"2001:db8::{number:x}")
    with pytest.raises(TooManyAttempts):
        gate.access().sign_in("guess", "2001:db8::ffff")


def test_a_link_signs_in_once(gate: Gate) -> None:
    """The second use, a forged one and one older than an hour are refused."""
    access = gate.access()
    token = access.new_link_token()
    assert access.is_current(access.sign_in_by_link(token))
    assert gate.access().sign_in_by_link(token) is None
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        # Some of these spell the same signature: base64 leaves the last bits unused.
        assert access.sign_in_by_link(token[:-1] + last) is None
    forged = access.new_link_token()
    assert access.sign_in_by_link(("A" if forged[0] != "A" else "B") + forged[1:]) is None
    late = access.new_link_token()
    gate.clock.now += 3_600_001
    assert access.sign_in_by_link(late) is None
    assert access.sign_in_by_link(gate.access(secret_key="x" * 32).new_link_token()) is None


def test_an_api_key_is_recognised_and_named_without_itself() -> None:
    """The name told on sign-ups is a piece of a digest."""
    keys = ApiKeys(("key-of-the-shop", "key-of-the-crm"))
    shop, crm = keys.recognise("key-of-the-shop"), keys.recognise("key-of-the-crm")
    assert shop is not None
    assert crm is not None
    assert shop != crm
    assert "shop" not in shop.name
    assert keys.recognise("key") is None
    assert ApiKeys(()).recognise("") is None


def test_a_drain_token_that_is_not_set_matches_nothing() -> None:
    """Without DRAIN_TOKEN not even the empty token is let in."""
    assert not DrainToken("").matches("")
    assert not DrainToken("").is_set
    assert DrainToken("abc").matches("abc")
    assert not DrainToken("abc").matches("abd")
