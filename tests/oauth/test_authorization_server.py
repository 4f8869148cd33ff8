"""Calls to the authorization server."""

import base64
import ssl
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from urllib3.exceptions import LocationParseError, MaxRetryError, NewConnectionError, SSLError

from oauth.authorization_server import AuthorizationServer
from oauth.errors import Ambiguous, InvalidClient, InvalidGrant, NeverSent, Refused, TokenCallFailed
from tests.oauth.vendor import START, TOKEN_URL, Vendor

CALLBACK = "https://app.test/oauth/callback?a=b&c"


def test_the_authorize_address_carries_everything_and_encodes_spaces_as_percent_20(
    server: AuthorizationServer,
) -> None:
    """The vendor refuses %2B and plus signs between scopes."""
    url = server.authorize_url(CALLBACK, "st", ["contact_data", "offline_access"], "ch")
    assert "scope=contact_data%20offline_access" in url
    assert parse_qs(urlsplit(url).query) == {
        "client_id": ["client-id"],
        "redirect_uri": [CALLBACK],
        "response_type": ["code"],
        "scope": ["contact_data offline_access"],
        "state": ["st"],
        "code_challenge": ["ch"],
        "code_challenge_method": ["S256"],
    }


def test_no_challenge_leaves_pkce_out(server: AuthorizationServer) -> None:
    """Switched off means that the vendor sees no trace of it."""
    assert "code_challenge" not in server.authorize_url(CALLBACK, "st", ["contact_data"], None)


def test_secrets_travel_in_header_and_body_only(server: AuthorizationServer, vendor: Vendor) -> None:
    """Addresses end up in logs; the vendor's own examples put tokens there."""
    server.exchange("the-code", CALLBACK, "the-verifier", START)
    server.refresh("refresh-secret-1", START)
    assert vendor.forms == [
        {
            "grant_type": "authorization_code",
            "code": "the-code",
            "redirect_uri": CALLBACK,
            "code_verifier": "the-verifier",
        },
        {"grant_type": "refresh_token", "refresh_token": "refresh-secret-1"},
    ]
    basic = "Basic " + base64.b64encode(b"client-id:client-secret").decode()
    assert vendor.authorizations == [basic, basic]


def test_without_pkce_no_verifier_is_sent(server: AuthorizationServer, vendor: Vendor) -> None:
    """An empty verifier would be refused."""
    server.exchange("the-code", CALLBACK, None, START)
    assert "code_verifier" not in vendor.forms[0]


REFUSED = requests.ConnectionError(
    MaxRetryError(None, "/token", NewConnectionError(None, "refused"))  # type: ignore[arg-type]
)
BAD_CERTIFICATE = requests.exceptions.SSLError(
    MaxRetryError(None, "/token", SSLError(ssl.SSLCertVerificationError("expired")))  # type: ignore[arg-type]
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (REFUSED, NeverSent),
        (requests.ConnectTimeout("late"), NeverSent),
        (BAD_CERTIFICATE, NeverSent),
        (requests.exceptions.SSLError("record"), Ambiguous),
        ((429, '{"error_key": "throttled"}'), NeverSent),
        (requests.ReadTimeout("late"), Ambiguous),
        (requests.ConnectionError("reset"), Ambiguous),
        (requests.exceptions.ChunkedEncodingError("half"), Ambiguous),
        ((500, ""), Ambiguous),
        ((503, "<html>"), Ambiguous),
        ((302, ""), Ambiguous),
        ((200, "<html>maintenance</html>"), Ambiguous),
        ((200, ""), Ambiguous),
        ((200, '{"token_type": "Bearer"}'), Ambiguous),
        ((200, '{"error": "invalid_grant"}'), Ambiguous),
        ((200, '{"access_token": "a", "token_type": "Bearer"}' + " " * 70_000), Ambiguous),
        ((400, '{"error": "invalid_grant", "error_description": "<script>secret"}'), InvalidGrant),
        ((401, '{"error": "invalid_client"}'), InvalidClient),
        ((401, '{"errorCode": "invalid_client", "errorSummary": "x"}'), InvalidClient),
        ((400, '{"error": "invalid_client"}'), InvalidClient),
        ((401, "<html>"), Ambiguous),
        ((403, "<html>"), Ambiguous),
        ((400, '{"message": "blocked"}'), Ambiguous),
        ((400, '{"error": 5}'), Ambiguous),
        ((400, '{"error": "invalid_grant", "n": ' + "9" * 6_000 + "}"), Ambiguous),
        ((401, "[" * 60_000), Ambiguous),
        ((400, '{"error": "invalid_grant"}' + " " * 70_000), Ambiguous),
        ((200, '{"access_token": "a", "token_type": "Bearer", "refresh_token": "\\ud800"}'), Ambiguous),
        (
            (200, '{"access_token": "a", "token_type": "Bearer", "expires_in": ' + "9" * 6_000 + "}"),
            Ambiguous,
        ),
        (OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /x.pem"), NeverSent),
        (requests.exceptions.InvalidURL("bad"), NeverSent),
        (LocationParseError("https://secret@x"), NeverSent),
        (AttributeError("'NoneType' object has no attribute 'readline'"), Ambiguous),
        (RecursionError("secret"), Ambiguous),
        ((401, '{"error": "invalid_grant"}'), InvalidClient),
        ((403, '{"error": "invalid_grant"}'), Refused),
        ((400, '{"error": "<script>secret"}'), Refused),
        ((400, "[]"), Ambiguous),
        ((400, "invalid_grant"), Ambiguous),
    ],
)
def test_each_failure_has_its_kind(
    server: AuthorizationServer,
    vendor: Vendor,
    answer: tuple[int, str] | Exception,
    expected: type[TokenCallFailed],
) -> None:
    """Only a 400 with invalid_grant is final; nothing the vendor wrote is quoted; one send each."""
    vendor.canned = [answer]
    with pytest.raises(TokenCallFailed) as caught:
        server.refresh("refresh-secret-0", START)
    assert type(caught.value) is expected
    assert "script" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(vendor.forms) == 1
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "it holds the request"


def test_a_refused_connection_counts_as_never_sent() -> None:
    """The real exception of a closed port is recognised."""
    server = AuthorizationServer(
        requests.Session(), base_url="http://127.0.0.1:9", client_id="i", client_secret="s"
    )
    with pytest.raises(NeverSent):
        server.refresh("refresh-secret-0", START)


def test_a_redirect_is_not_followed(server: AuthorizationServer, http: responses.RequestsMock) -> None:
    """Client secret and token go to the configured host only."""
    http.post(TOKEN_URL, status=307, headers={"Location": "https://evil.test/"})
    with pytest.raises(Ambiguous):
        server.refresh("refresh-secret-0", START)
    assert [call.request.url for call in http.calls] == [TOKEN_URL]
