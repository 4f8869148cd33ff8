"""An application without a secret: it names itself in the body, and PKCE proves the rest (pkce_flow)."""

from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from oauth.authorization_server import AuthorizationServer
from oauth.connecting.connector import Connector
from oauth.errors import CredentialsRejected
from oauth.token_source import TokenSource
from tests.oauth.consent import CALLBACK, finish, started
from tests.oauth.on_file import ConnectionsOnFile
from tests.oauth.vendor import BASE_URL, DAY, START, Clock, Vendor

UNKNOWN = '{"errorCode": "invalid_client", "errorSummary": "x"}'


@pytest.fixture
def server() -> AuthorizationServer:
    """Every part over it is then a public client's."""
    return AuthorizationServer(requests.Session(), base_url=BASE_URL, client_id="client-id", client_secret="")


def test_names_itself_in_the_body(server: AuthorizationServer, vendor: Vendor) -> None:
    """At the exchange and at a refresh; there is no Authorization header at all."""
    server.exchange("the-code", CALLBACK, "the-verifier", START)
    server.refresh("refresh-secret-1", START)
    assert vendor.forms == [
        {
            "grant_type": "authorization_code",
            "code": "the-code",
            "redirect_uri": CALLBACK,
            "code_verifier": "the-verifier",
            "client_id": "client-id",
        },
        {"grant_type": "refresh_token", "refresh_token": "refresh-secret-1", "client_id": "client-id"},
    ]
    assert vendor.authorizations == [None, None]


@pytest.mark.parametrize("machine", ["machine authz.test", "default"])
def test_no_password_of_the_machines_owner_is_sent(
    server: AuthorizationServer, vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    """Requests would take one from ~/.netrc where a call brings no credentials of its own."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"{machine} login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.refresh("refresh-secret-0", START)
    assert vendor.authorizations == [None]


def test_connects_with_the_verifier_of_its_challenge(
    make: Callable[[bool], Connector], vendor: Vendor, connections: ConnectionsOnFile
) -> None:
    connector = make(True)
    finish(connector, started(connector))
    (form,) = vendor.forms
    assert (form["client_id"], len(form["code_verifier"])) == ("client-id", 64)
    assert connections.row.state == "connected"


def test_stays_connected(source: TokenSource, vendor: Vendor, clock: Clock) -> None:
    """The pair rotates as it does with a secret."""
    clock.now += DAY
    assert source.current() == "access-secret-1"
    clock.now += DAY
    assert source.current() == "access-secret-2"
    assert [form["client_id"] for form in vendor.forms] == ["client-id", "client-id"]


@pytest.mark.parametrize("answer", [(401, '{"error": "invalid_client"}'), (401, UNKNOWN), (401, "{}")])
def test_a_refusal_names_the_secret_that_may_be_missing(
    connector: Connector, vendor: Vendor, answer: tuple[int, str]
) -> None:
    """Of an application that has one, it may have been forgotten."""
    vendor.canned = [answer]
    with pytest.raises(CredentialsRejected, match=r"without a secret.*set CONSTANT_CONTACT_CLIENT_SECRET"):
        finish(connector, started(connector))


def test_so_does_one_at_a_refresh_and_while_the_next_is_waited_for(
    source: TokenSource, vendor: Vendor, connections: ConnectionsOnFile, clock: Clock
) -> None:
    """The secret may also have been lost after connecting: the tokens are kept."""
    clock.now += DAY
    vendor.canned = [(401, UNKNOWN)]
    for _ in range(2):
        with pytest.raises(CredentialsRejected, match="without a secret"):
            source.current()
    assert (connections.row.state, len(vendor.forms)) == ("credentials_rejected", 1)
    assert connections.row.refresh_sealed is not None
