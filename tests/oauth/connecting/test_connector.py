"""From the button to stored tokens."""

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from oauth.authorization_server import AuthorizationServer
from oauth.connecting.connector import Connector
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import (
    AccountUnavailable,
    AccountUnusable,
    AttemptUnknown,
    ConsentRefused,
    CredentialsRejected,
    ExchangeFailed,
    OAuthError,
    ScopesMissing,
    WrongAccount,
)
from store.connection.authorization_requests import AuthorizationRequests
from store.connection.oauth_connection import ConnectionRow
from store.engine.database import Database
from store.errors import StoreUnavailable
from tests.oauth.consent import (
    CALLBACK,
    SCOPES,
    Account,
    Accounts,
    Calls,
    Happenings,
    finish,
    started,
)
from tests.oauth.on_file import AttemptsOnFile, ConnectionsOnFile
from tests.oauth.vendor import START, Answer, Clock, Vendor

MINUTE = 60_000


def test_a_consent_ends_in_sealed_tokens_and_a_new_epoch(
    connector: Connector,
    connections: ConnectionsOnFile,
    vendor: Vendor,
    cipher: TokenCipher,
    connected: Calls,
) -> None:
    """The whole way, with the verifier that belongs to the challenge."""
    finish(connector, started(connector))
    row = connections.row
    assert (row.state, row.epoch, row.generation, row.lease_owner) == ("connected", 2, 2, None)
    assert cipher.unseal(row.access_sealed or "") == "access-secret-1"
    assert cipher.unseal(row.refresh_sealed or "") == "refresh-secret-1"
    assert row.scope == "contact_data account_read offline_access"
    assert vendor.forms[0]["code"] == "the-code"
    assert vendor.forms[0]["redirect_uri"] == CALLBACK
    assert connected.count == 1


def test_a_first_connection_needs_no_earlier_row(
    connector: Connector, connections: ConnectionsOnFile, connected: Calls
) -> None:
    """Nothing stored yet is not an obstacle."""
    connections.row = connections.new
    finish(connector, started(connector))
    assert (connections.row.state, connections.row.epoch, connected.count) == ("connected", 1, 1)


def test_the_challenge_is_the_hash_of_the_verifier_that_is_sent(connector: Connector, vendor: Vendor) -> None:
    """RFC 7636 section 4.6."""
    query = parse_qs(urlsplit(connector.start(browser="browser", redirect_uri=CALLBACK)).query)
    finish(connector, query["state"][0])
    verifier = vendor.forms[0]["code_verifier"]
    assert 43 <= len(verifier) <= 128
    padded = query["code_challenge"][0] + "="
    assert base64.urlsafe_b64decode(padded) == hashlib.sha256(verifier.encode()).digest()


def test_pkce_can_be_switched_off(make: Callable[[bool], Connector], vendor: Vendor) -> None:
    """Neither challenge nor verifier; the cookie still binds the browser."""
    connector = make(False)
    query = parse_qs(urlsplit(connector.start(browser="browser", redirect_uri=CALLBACK)).query)
    assert "code_challenge" not in query
    finish(connector, query["state"][0])
    assert "code_verifier" not in vendor.forms[0]


def test_each_attempt_has_its_own_state_and_verifier(connector: Connector, vendor: Vendor) -> None:
    """RFC 9700 section 2.1.1: per transaction."""
    first, second = started(connector), started(connector)
    assert first != second
    finish(connector, first)
    finish(connector, second)
    assert vendor.forms[0]["code_verifier"] != vendor.forms[1]["code_verifier"]


def test_an_open_attempt_is_stored_without_anything_usable(
    connector: Connector, attempts: AttemptsOnFile
) -> None:
    """State and browser as hashes, the verifier sealed; 15 minutes."""
    state = started(connector)
    [(key, attempt)] = attempts.open().items()
    stored = repr((key, attempt))
    assert state not in stored
    assert "'browser'" not in stored
    assert attempt.expires_at == START + 15 * MINUTE


def test_an_unknown_state_is_refused_without_a_call(connector: Connector, vendor: Vendor) -> None:
    """Nobody can make us exchange a code that we did not ask for."""
    with pytest.raises(AttemptUnknown):
        finish(connector, "made-up")
    assert vendor.forms == []


def test_an_attempt_ends_after_15_minutes(connector: Connector, vendor: Vendor, clock: Clock) -> None:
    """A forgotten tab does not stay a way in."""
    state = started(connector)
    clock.now += 15 * MINUTE
    with pytest.raises(AttemptUnknown):
        finish(connector, state)
    assert vendor.forms == []


@pytest.mark.parametrize("browser", ["another", ""])
def test_another_browser_is_refused_and_uses_the_attempt_up(
    connector: Connector, vendor: Vendor, connections: ConnectionsOnFile, browser: str
) -> None:
    """Login CSRF: an admin lured to somebody else's callback connects nothing."""
    before = connections.row
    state = started(connector)
    with pytest.raises(AttemptUnknown):
        finish(connector, state, browser=browser)
    with pytest.raises(AttemptUnknown):
        finish(connector, state)
    assert vendor.forms == []
    assert connections.row == before


def test_a_callback_opened_twice_exchanges_once(
    connector: Connector, vendor: Vendor, connections: ConnectionsOnFile
) -> None:
    """Reload, back and prefetch leave the connection as it is."""
    state = started(connector)
    finish(connector, state)
    before = connections.row
    with pytest.raises(AttemptUnknown):
        finish(connector, state)
    assert len(vendor.forms) == 1
    assert connections.row == before


@pytest.mark.parametrize(
    ("error", "words"),
    [("access_denied", "refused"), ("<script>alert(1)</script>", "did not grant"), (None, "did not grant")],
)
def test_a_refusal_is_told_in_our_words_and_changes_nothing(
    connector: Connector, vendor: Vendor, connections: ConnectionsOnFile, error: str | None, words: str
) -> None:
    """The attempt is used up, the old connection intact, nothing echoed."""
    before = connections.row
    state = started(connector)
    with pytest.raises(ConsentRefused, match=words) as caught:
        finish(connector, state, code=None, error=error)
    assert "script" not in str(caught.value)
    with pytest.raises(AttemptUnknown):
        finish(connector, state)
    assert connections.row == before
    assert vendor.forms == []


def test_an_error_wins_over_a_code(connector: Connector, vendor: Vendor) -> None:
    """An answer that says both is a refusal."""
    with pytest.raises(ConsentRefused):
        finish(connector, started(connector), error="server_error")
    assert vendor.forms == []


@pytest.mark.parametrize(
    ("extra", "missing"),
    [
        ({"refresh_token": None}, ("offline_access",)),
        ({"refresh_token": ""}, ("offline_access",)),
        ({"scope": "account_read offline_access"}, ("contact_data",)),
        ({"scope": "contact_data offline_access"}, ("account_read",)),
        ({"scope": "", "refresh_token": None}, ("contact_data", "account_read", "offline_access")),
    ],
)
def test_missing_rights_are_named_and_nothing_is_stored(
    connector: Connector,
    vendor: Vendor,
    connections: ConnectionsOnFile,
    connected: Calls,
    extra: dict[str, object],
    missing: tuple[str, ...],
) -> None:
    """The vendor leaves the refresh token out without any error."""
    before = replace(connections.row)
    vendor.extra = extra
    with pytest.raises(ScopesMissing) as caught:
        finish(connector, started(connector))
    assert caught.value.scopes == missing
    assert all(scope in str(caught.value) for scope in missing)
    assert connections.row == before
    assert connected.count == 0


def test_an_answer_without_scope_means_all_was_granted(
    connector: Connector, vendor: Vendor, connections: ConnectionsOnFile
) -> None:
    """RFC 6749 section 5.1."""
    vendor.extra = {"scope": None}
    finish(connector, started(connector))
    assert connections.row.epoch == 2


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        ((400, '{"error": "invalid_grant"}'), ExchangeFailed, "too old or already used.*press connect again"),
        (requests.ReadTimeout("late"), ExchangeFailed, "lost.*press connect again"),
        (requests.ConnectTimeout("late"), ExchangeFailed, "not be reached.*press connect again"),
        ((503, "<html>"), ExchangeFailed, "503.*press connect again"),
        ((200, "<html>"), ExchangeFailed, "unusable.*press connect again"),
        ((401, "{}"), CredentialsRejected, "constant_contact_client_secret"),
    ],
)
def test_a_failed_exchange_sends_the_code_once_and_changes_nothing(
    connector: Connector,
    vendor: Vendor,
    connections: ConnectionsOnFile,
    connected: Calls,
    answer: Answer,
    expected: type[OAuthError],
    words: str,
) -> None:
    """A replayed code may revoke its tokens, so the admin starts anew."""
    before = connections.row
    vendor.canned = [answer]
    with pytest.raises(expected, match=f"(?i){words}"):
        finish(connector, started(connector))
    assert len(vendor.forms) == 1
    assert connections.row == before
    assert connected.count == 0


def test_a_verifier_of_another_key_means_a_new_attempt(
    connector: Connector, attempts: AttemptsOnFile, vendor: Vendor
) -> None:
    """A key changed between button and callback costs one more click."""
    state = started(connector)
    [(key, attempt)] = attempts.open().items()
    attempts.replace(key, replace(attempt, verifier_sealed=TokenCipher(["quite another long key"]).seal("v")))
    with pytest.raises(AttemptUnknown):
        finish(connector, state)
    assert vendor.forms == []


def test_connecting_waits_for_a_refresh_under_way(
    connector: Connector, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """Its answer would expire the tokens of an exchange made meanwhile; a dead holder's lease ends."""
    connections.row = replace(connections.row, lease_owner="refresher", lease_until=START + 20_000)
    state = started(connector)
    finish(connector, state)
    assert clock.now == START + 20_000
    assert connections.row.epoch == 2


def test_a_lease_that_is_renewed_again_and_again_spends_no_code(
    connector: Connector, connections: ConnectionsOnFile, vendor: Vendor
) -> None:
    """The code stays unsent when the connection cannot be had."""
    connections.row = replace(connections.row, lease_owner="refresher", lease_until=START + 3_600_000)
    with pytest.raises(ExchangeFailed, match="Press Connect again"):
        finish(connector, started(connector))
    assert vendor.forms == []


def test_a_store_that_fails_tells_nobody_of_success(
    connector: Connector, connections: ConnectionsOnFile, connected: Calls
) -> None:
    """No message of success without stored tokens, and the lease is given back."""
    connections.broken = {"store_connected"}
    with pytest.raises(StoreUnavailable):
        finish(connector, started(connector))
    assert connected.count == 0
    assert connections.row.lease_owner is None


def test_disconnecting_erases_the_tokens(connector: Connector, connections: ConnectionsOnFile) -> None:
    """Nothing is left to use or to steal; the epoch tells late answers."""
    connector.disconnect()
    row = connections.row
    assert (row.state, row.access_sealed, row.refresh_sealed, row.epoch) == ("disconnected", None, None, 2)


def pinned(connections: ConnectionsOnFile) -> ConnectionRow:
    """The row, connected to the account a-1 from now on."""
    connections.row = replace(connections.row, account_id="a-1", account_name="Friends of the River")
    return connections.row


def test_the_account_is_asked_with_the_new_token_and_pinned(
    connector: Connector, connections: ConnectionsOnFile, accounts: Accounts, happenings: Happenings
) -> None:
    """Which account, which user, who connected and which installation are stored with the tokens."""
    finish(connector, started(connector))
    row = connections.row
    assert accounts.asked == ["access-secret-1"]
    assert (row.account_id, row.account_name, row.account_user) == ("a-1", "Friends of the River", "olivia")
    assert (row.fingerprint, row.connected_by) == ("this installation", "admin")
    assert (happenings.told, happenings.actors) == ([("connected", None)], ["admin"])


def test_a_renamed_organisation_is_the_same_account(
    connector: Connector, connections: ConnectionsOnFile, accounts: Accounts
) -> None:
    """The id decides; the name is brought up to date."""
    pinned(connections)
    accounts.answer = Account(name="River Trust")
    finish(connector, started(connector))
    assert (connections.row.account_id, connections.row.account_name) == ("a-1", "River Trust")


def test_another_account_is_refused_with_both_names(
    connector: Connector,
    connections: ConnectionsOnFile,
    accounts: Accounts,
    happenings: Happenings,
    connected: Calls,
) -> None:
    """Sign-ups never move to another organisation unnoticed; the stored connection stays in use."""
    before = pinned(connections)
    accounts.answer = Account(account_id="a-2", name="Other Club")
    with pytest.raises(WrongAccount, match=r"Friends of the River.*Other Club") as caught:
        finish(connector, started(connector))
    assert connections.row == before
    assert connected.count == 0
    assert (happenings.told, happenings.actors) == ([("wrong_account", str(caught.value))], ["admin"])


def test_after_disconnecting_another_account_may_be_connected(
    connector: Connector, connections: ConnectionsOnFile, accounts: Accounts, happenings: Happenings
) -> None:
    """Disconnect ends the pin, and is on record."""
    pinned(connections)
    connector.disconnect()
    accounts.answer = Account(account_id="a-2", name="Other Club")
    finish(connector, started(connector))
    assert connections.row.account_id == "a-2"
    assert [kind for kind, _ in happenings.told] == ["disconnected", "connected"]
    assert happenings.actors == ["admin", "admin"]


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (
            Account(account_id="", name="", may_manage_contacts=False),
            AccountUnusable,
            "no Constant Contact acc",
        ),
        (Account(may_manage_contacts=False), AccountUnusable, "contacts of “Friends of the River”"),
        (AccountUnavailable(), AccountUnavailable, "Press Connect again"),
    ],
)
def test_an_account_that_is_unusable_or_unknown_stores_nothing(
    connector: Connector,
    connections: ConnectionsOnFile,
    accounts: Accounts,
    happenings: Happenings,
    answer: Account | OAuthError,
    expected: type[OAuthError],
    words: str,
) -> None:
    """A connection whose every sign-up would be refused is refused itself, with the reason."""
    before = pinned(connections)
    accounts.answer = answer
    with pytest.raises(expected, match=words) as caught:
        finish(connector, started(connector))
    assert connections.row == before
    assert happenings.told == [("connect_failed", str(caught.value))]


def test_no_refresh_comes_between_the_exchange_and_the_storing(
    connector: Connector, connections: ConnectionsOnFile, accounts: Accounts, clock: Clock
) -> None:
    """However slow the account check, the lease holds: a refresh of the old tokens would end the new ones."""

    def try_to_refresh() -> None:
        clock.now += 26_000
        assert not connections.take_lease(owner="refresher", generation=1, now=clock.now, until=clock.now + 1)

    accounts.meanwhile = try_to_refresh
    finish(connector, started(connector))
    assert (connections.row.epoch, connections.row.lease_owner) == (2, None)


def test_a_disconnect_during_the_account_check_stays(
    connector: Connector, connections: ConnectionsOnFile, accounts: Accounts
) -> None:
    """Whoever pressed Disconnect meanwhile is not overruled."""
    accounts.meanwhile = lambda: connections.disconnect(now=START)
    with pytest.raises(ExchangeFailed, match="at the same moment"):
        finish(connector, started(connector))
    assert (connections.row.state, connections.row.refresh_sealed) == ("disconnected", None)


def test_a_refusal_is_on_record_and_a_reload_is_not(connector: Connector, happenings: Happenings) -> None:
    """The audit tells of attempts that ended, not of pages opened again."""
    state = started(connector)
    for expected in (ConsentRefused, AttemptUnknown):
        with pytest.raises(expected):
            finish(connector, state, code=None, error="access_denied")
    assert [kind for kind, _ in happenings.told] == ["connect_denied"]


def test_an_attempt_from_another_browser_is_on_record(connector: Connector, happenings: Happenings) -> None:
    """Somebody may have been lured to a callback: an admin can see that it was tried."""
    with pytest.raises(AttemptUnknown):
        finish(connector, started(connector), browser="another")
    assert [kind for kind, _ in happenings.told] == ["connect_failed"]


def test_simultaneous_callbacks_exchange_once(
    connections: ConnectionsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    accounts: Accounts,
    tmp_path: Path,
) -> None:
    """A browser that sends the callback several times at once spends the code once; the rest is told so."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    connector = Connector(
        OAuthContext(connections, server, cipher, clock=clock),
        AuthorizationRequests(database),
        accounts,
        scopes=SCOPES,
        pkce=True,
        on_connected=lambda: None,
    )
    state = started(connector)
    at_once, outcomes = threading.Barrier(4), list[str]()

    def call_back() -> None:
        at_once.wait(5)
        try:
            finish(connector, state)
            outcomes.append("connected")
        except AttemptUnknown:
            outcomes.append("already used")

    threads = [threading.Thread(target=call_back) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    database.close()
    assert sorted(outcomes) == ["already used"] * 3 + ["connected"]
    assert len(vendor.forms) == 1
    assert connections.row.epoch == 2


def test_two_admins_who_connect_at_once_leave_one_working_chain(
    connections: ConnectionsOnFile,
    attempts: AttemptsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    accounts: Accounts,
) -> None:
    """One after the other gets the lease: the stored pair is the one that the vendor issued last."""
    both = [
        Connector(
            OAuthContext(connections, server, cipher, clock=clock),
            attempts,
            accounts,
            scopes=SCOPES,
            pkce=True,
            on_connected=lambda: None,
        )
        for _ in range(2)
    ]
    states = [started(connector) for connector in both]
    at_once = threading.Barrier(2)

    def take_time() -> None:
        threading.Event().wait(0.05)

    def connect(index: int) -> None:
        at_once.wait(5)
        finish(both[index], states[index])

    accounts.meanwhile = take_time
    threads = [threading.Thread(target=connect, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (connections.row.epoch, connections.row.generation, len(vendor.forms)) == (3, 3, 2)
    assert cipher.unseal(connections.row.refresh_sealed or "") == vendor.refresh
    assert connections.row.lease_owner is None
