"""Who may do what: the admin's password and links, API keys, the drain token."""

from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest
from werkzeug.security import generate_password_hash

from services.access.admin import AdminAccess
from services.access.api_keys import ApiKeys, DrainToken
from services.access.derived_keys import DerivedKeys
from services.errors import TooManyAttempts
from store.engine.database import Database
from store.throttles import SpentTokens, Throttles
from tests.services.conftest import Clock

# A cheap hash: the tests are not about scrypt's cost.
HASH = generate_password_hash("correct horse", "scrypt:1024:8:1")


class Gate:
    """An admin access whose clock the test moves."""

    def __init__(self, database: Database) -> None:
        self.clock, self.database = Clock(), database

    def access(self, password: str = HASH, secret_key: str = "k" * 32) -> AdminAccess:
        return AdminAccess(
            password=password,
            keys=DerivedKeys(secret_key),
            throttles=Throttles(self.database),
            spent_tokens=SpentTokens(self.database),
            clock=self.clock,
        )


@pytest.fixture
def gate(each_database: Database) -> Gate:
    return Gate(each_database)


def test_only_the_right_password_signs_in(gate: Gate) -> None:
    """The right one gives a stamp that is current, any other gives nothing."""
    access = gate.access()
    stamp = access.sign_in("correct horse", "9.9.9.1")
    assert access.is_current(stamp)
    assert access.sign_in("Correct horse", "9.9.9.1") is None
    assert not access.is_current(None)
    assert not access.is_current("")


def test_the_password_may_be_given_as_a_hash(gate: Gate) -> None:
    """The environment need not hold it in clear."""
    for given in ("correct horse", generate_password_hash("correct horse", "scrypt")):
        access = gate.access(given)
        assert access.sign_in("correct horse", "9.9.9.1")
        assert access.sign_in("Correct horse", "9.9.9.1") is None


def test_a_new_password_ends_all_sessions(gate: Gate) -> None:
    """The stamp changes with the password and with the secret key."""
    stamp = gate.access().sign_in("correct horse", "9.9.9.1")
    assert not gate.access("another horse").is_current(stamp)
    assert not gate.access(secret_key="x" * 32).is_current(stamp)


def test_the_eleventh_try_in_a_quarter_of_an_hour_is_refused(gate: Gate) -> None:
    """Also with the right password and in any process; other addresses are not affected."""
    for _ in range(10):
        assert gate.access().sign_in("guess", "9.9.9.1") is None
    with pytest.raises(TooManyAttempts) as caught:
        gate.access().sign_in("correct horse", "9.9.9.1")
    assert 0 < caught.value.retry_after <= 900
    assert gate.access().sign_in("correct horse", "9.9.9.2")
    gate.clock.now += caught.value.retry_after * 1000
    assert gate.access().sign_in("correct horse", "9.9.9.1")


def allowed(gate: Gate, addresses: Iterable[str]) -> int:
    """Return how many guesses are compared before one is refused."""
    access = gate.access()
    for number, address in enumerate(addresses):
        try:
            access.sign_in("guess", address)
        except TooManyAttempts:
            return number
    raise AssertionError("no guess was refused")


# Who can choose: where the peer is believed without being the proxy, any header; in IPv6, 2^80 addresses.
SENDERS: dict[str, tuple[Callable[[int], str], int]] = {
    "one address": (lambda _: "9.9.9.9", 10),
    "one address, by an IPv6 socket": (lambda number: ("9.9.9.9", "::ffff:9.9.9.9")[number % 2], 10),
    "a /24": (lambda number: f"9.9.9.{number}", 30),
    "a /64": (lambda number: f"2a00:1450:4001:81::{number:x}", 30),
    "a /48": (lambda number: f"2a00:1450:4001:{number:x}::1", 60),
    "the whole internet": (lambda number: f"9.{number}.1.1", 100),
    "IPv6 everywhere": (lambda number: f"2a00:1450:{number:x}::1", 100),
    "private addresses": (lambda number: f"10.0.{number}.1", 10),
    "loopback": (lambda number: f"127.0.0.{number}", 10),
    "local IPv6": (lambda number: f"fd00::{number:x}", 10),
    "no addresses": (lambda number: f"x{number}", 10),
    "addresses with a port": (lambda number: f"9.9.9.9:{number}", 10),
    "nothing": (lambda _: "", 10),
}


@pytest.mark.parametrize(("address", "most"), SENDERS.values(), ids=SENDERS)
def test_no_choice_of_addresses_gives_more_guesses(
    gate: Gate, address: Callable[[int], str], most: int
) -> None:
    """Each network has a limit, all together have one, and all non-public addresses share one."""
    assert allowed(gate, (address(number) for number in range(150))) == most


def test_one_crowd_of_guesses_leaves_the_others_their_tries(gate: Gate) -> None:
    """A try that is refused by its address's limit does not use up the limits of others."""
    for _ in range(150):
        with suppress(TooManyAttempts):
            gate.access().sign_in("guess", "9.9.9.9")
    assert gate.access().sign_in("correct horse", "8.8.8.8")


def test_guesses_never_lock_out_who_holds_a_link_or_a_session(gate: Gate) -> None:
    """At the limit of all only the password is refused, from everywhere."""
    access = gate.access()
    session = access.sign_in("correct horse", "8.8.8.8")
    allowed(gate, (f"9.{number}.1.1" for number in range(150)))
    with pytest.raises(TooManyAttempts):
        access.sign_in("correct horse", "8.8.8.8")
    assert access.is_current(session)
    assert access.is_current(access.sign_in_by_link(access.new_link_token()))


def test_signing_out_ends_every_copy_of_that_session_alone(gate: Gate) -> None:
    """The sign-out counts in all processes; a text that was never a session ends none."""
    access = gate.access()
    one, other = (access.sign_in("correct horse", "8.8.8.8") for _ in range(2))
    access.sign_out(one)
    assert not gate.access().is_current(one)
    assert gate.access().is_current(other)
    stamp = str(one).partition(".")[0]
    for forged in (None, "", 7, f"{'0' * 64}.x", stamp, f"{stamp}."):
        access.sign_out(forged)
        assert not access.is_current(forged)
    assert access.is_current(other)


def test_a_link_signs_in_once(gate: Gate) -> None:
    """The second use, a forged one and one older than an hour are refused."""
    access = gate.access()
    token = access.new_link_token()
    assert access.link_signs_in(token)
    assert access.link_signs_in(token)
    assert access.is_current(access.sign_in_by_link(token))
    assert not access.link_signs_in(token)
    assert gate.access().sign_in_by_link(token) is None
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        # Some of these spell the same signature: base64 leaves the last bits unused.
        assert access.sign_in_by_link(token[:-1] + last) is None
    forged = access.new_link_token()
    assert access.sign_in_by_link(("A" if forged[0] != "A" else "B") + forged[1:]) is None
    late = access.new_link_token()
    gate.clock.now += 3_600_001
    assert not access.link_signs_in(late)
    assert access.sign_in_by_link(late) is None
    assert access.sign_in_by_link(gate.access(secret_key="x" * 32).new_link_token()) is None


def test_an_api_key_is_recognised_and_named_without_itself() -> None:
    """Sign-ups name an API key by a part of its digest."""
    keys = ApiKeys(("key-of-the-shop", "key-of-the-crm"))
    shop, crm = keys.recognise("key-of-the-shop"), keys.recognise("key-of-the-crm")
    assert shop is not None
    assert crm is not None
    assert shop != crm
    assert "key-of-the-shop" not in shop.name
    assert keys.recognise("key") is None
    assert ApiKeys(()).recognise("") is None


def test_a_drain_token_that_is_not_set_matches_nothing() -> None:
    """Without DRAIN_TOKEN not even the empty token is let in."""
    assert not DrainToken("").matches("")
    assert not DrainToken("").is_set
    assert DrainToken("abc").matches("abc")
    assert not DrainToken("abc").matches("abd")
