"""The account behind a connection that began with a planted token."""

from dataclasses import replace

import pytest

from oauth.connecting.account_check import AccountCheck
from oauth.connecting.connector import Connector
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import AccountUnavailable, WrongAccount
from oauth.token_source import TokenSource
from tests.oauth.consent import Account, Accounts, Happenings, finish, started
from tests.oauth.on_file import ConnectionsOnFile
from tests.oauth.vendor import START, Clock, Vendor

MINUTE = 60_000


@pytest.fixture
def planted(connections: ConnectionsOnFile, cipher: TokenCipher) -> ConnectionsOnFile:
    """A seed, not refreshed yet."""
    connections.row = connections.new
    assert connections.plant_seed(
        refresh_sealed=cipher.seal("refresh-secret-0"),
        seed_hash="h",
        fingerprint="this installation",
        now=START,
    )
    return connections


class Background:
    """The token source and the account check, tended as the thread does."""

    def __init__(self, *tended: TokenSource | AccountCheck) -> None:
        self._tended = tended

    def turn(self) -> None:
        for each in self._tended:
            each.tend()


@pytest.fixture
def background(
    source: TokenSource,
    planted: ConnectionsOnFile,
    context: OAuthContext,
    accounts: Accounts,
    happenings: Happenings,
) -> Background:
    check = AccountCheck(replace(context, storage=planted, audit=happenings), source, accounts)
    return Background(source, check)


def test_the_account_of_a_planted_token_is_pinned_after_its_first_refresh(
    background: Background,
    planted: ConnectionsOnFile,
    accounts: Accounts,
    happenings: Happenings,
) -> None:
    """Asked once, with the new access token; the rest of the row stays."""
    background.turn()
    row = planted.row
    assert (row.account_id, row.account_name, row.account_user) == ("a-1", "Friends of the River", "olivia")
    assert (row.state, row.generation, row.epoch) == ("connected", 2, 1)
    background.turn()
    assert accounts.asked == ["access-secret-1"]
    assert happenings.told == [("account_pinned", "The account is “Friends of the River”.")]


def test_an_account_that_cannot_be_told_is_asked_for_once_an_hour(
    background: Background,
    planted: ConnectionsOnFile,
    accounts: Accounts,
    clock: Clock,
) -> None:
    """The quota belongs to the sign-ups; the connection works meanwhile."""
    accounts.answer = AccountUnavailable()
    for _ in range(12):
        background.turn()
        clock.now += 10 * MINUTE
    assert len(accounts.asked) == 2
    assert (planted.row.state, planted.row.account_id) == ("connected", None)
    accounts.answer = Account()
    background.turn()
    assert planted.row.account_id == "a-1"


def test_a_disconnect_during_the_question_pins_nothing(
    background: Background,
    planted: ConnectionsOnFile,
    accounts: Accounts,
    happenings: Happenings,
) -> None:
    """The answer is about a connection that is gone."""
    accounts.meanwhile = lambda: planted.disconnect(now=START)
    background.turn()
    assert planted.row.account_id is None
    assert happenings.told == []


def test_after_the_pin_another_account_is_refused(
    background: Background,
    planted: ConnectionsOnFile,
    accounts: Accounts,
    connector: Connector,
    vendor: Vendor,
) -> None:
    """A planted connection is protected like one that was made in the browser."""
    background.turn()
    before = planted.row
    accounts.answer = replace(Account(), account_id="a-2", name="Other Club")
    with pytest.raises(WrongAccount):
        finish(connector, started(connector))
    assert planted.row == before
