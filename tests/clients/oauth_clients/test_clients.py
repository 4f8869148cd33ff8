"""Clients that others wrote connect to the sandbox, stay connected, and fail as they should."""

from dataclasses import replace
from typing import Any

import pytest
import requests
from joserfc import jwk, jwt

from tests.clients.oauth_clients.clients import NodeClient, OAuthClient, Refused
from tests.clients.oauth_clients.conftest import Sandbox

DAY = 86_400
KEYS = "/oauth2/aus1lm3ry9mF7x2Ja0h8/v1/keys"
ISSUER = "https://identity.constantcontact.com/oauth2/aus1lm3ry9mF7x2Ja0h8"
AUDIENCE = "https://api.cc.email/v3"


def test_connects_and_refreshes(sandbox: Sandbox, client: OAuthClient) -> None:
    application = sandbox.confidential
    first = sandbox.connected(client, application)
    assert client.read(application, first, sandbox.account)["organization_name"]
    second = client.refresh(application, first)
    assert second["refresh_token"] != first["refresh_token"]
    assert client.read(application, second, sandbox.account)["organization_name"]
    assert client.refresh(application, second)["access_token"]


def test_connects_and_refreshes_without_a_secret(sandbox: Sandbox, public_client: OAuthClient) -> None:
    application = sandbox.public
    first = sandbox.connected(public_client, application)
    second = public_client.refresh(application, first)
    assert second["refresh_token"] != first["refresh_token"]
    assert public_client.read(application, second, sandbox.account)["organization_name"]


def test_stays_connected_with_a_long_lived_token(sandbox: Sandbox, client: OAuthClient) -> None:
    sandbox.control("settings", refresh_tokens="long_lived")
    first = sandbox.connected(client, sandbox.confidential)
    sandbox.control("clock", advance=179 * DAY)
    second = client.refresh(sandbox.confidential, first)
    assert second["refresh_token"] == first["refresh_token"]
    assert client.read(sandbox.confidential, second, sandbox.account)["organization_name"]


def test_denied_by_the_person(sandbox: Sandbox, client: OAuthClient) -> None:
    begun = client.begin(sandbox.confidential)
    with pytest.raises(Refused) as refused:
        client.exchange(sandbox.confidential, begun, sandbox.consent(begun.url, "deny"))
    assert refused.value.error == "access_denied"


@pytest.mark.parametrize("secret", ["guess", "sandbox secret", "Sandbox-Secret"])
def test_wrong_secret(sandbox: Sandbox, client: OAuthClient, secret: str) -> None:
    """At the exchange and at a refresh; neither the code nor the tokens are used up by it."""
    right, wrong = sandbox.confidential, replace(sandbox.confidential, client_secret=secret)
    begun = client.begin(wrong)
    callback = sandbox.consent(begun.url)
    with pytest.raises(Refused) as refused:
        client.exchange(wrong, begun, callback)
    assert refused.value.error == "invalid_client"
    tokens = client.exchange(right, begun, callback)
    with pytest.raises(Refused) as refused:
        client.refresh(wrong, tokens)
    assert refused.value.error == "invalid_client"
    assert client.refresh(right, tokens)["access_token"]


def test_without_the_secret_a_confidential_connection_is_not_refreshed(
    sandbox: Sandbox, public_client: OAuthClient
) -> None:
    tokens = sandbox.connected(public_client, sandbox.confidential)
    with pytest.raises(Refused) as refused:
        public_client.refresh(sandbox.public, tokens)
    assert refused.value.error == "invalid_client"


def test_unknown_client_id(sandbox: Sandbox, client: OAuthClient) -> None:
    """The vendor's refusal has no member `error`: Authlib takes it for tokens, with none in it."""
    begun = client.begin(sandbox.confidential)
    stranger = replace(sandbox.confidential, client_id="somebody-else")
    try:
        answer: dict[str, Any] = client.exchange(stranger, begun, sandbox.consent(begun.url))
    except Refused as refused:
        answer = {"error": refused.error}
    assert "access_token" not in answer


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example.org/oauth/callback/",
        "http://app.example.org/oauth/callback",
        "https://app.example.com/oauth/callback",
    ],
)
def test_wrong_redirect_uri(sandbox: Sandbox, client: OAuthClient, address: str) -> None:
    """Another than that of the authorization request, by as little as a slash."""
    begun = client.begin(sandbox.confidential)
    callback = sandbox.consent(begun.url).replace(sandbox.confidential.redirect_uri, address)
    with pytest.raises(Refused) as refused:
        client.exchange(replace(sandbox.confidential, redirect_uri=address), begun, callback)
    assert refused.value.error == "invalid_grant"


def test_wrong_verifier(sandbox: Sandbox, public_client: OAuthClient) -> None:
    """The code alone, without its verifier, is refused."""
    begun, other = (public_client.begin(sandbox.public) for _ in range(2))
    with pytest.raises(Refused) as refused:
        public_client.exchange(
            sandbox.public, replace(begun, verifier=other.verifier + "x"), sandbox.consent(begun.url)
        )
    assert refused.value.error == "invalid_grant"


def test_used_code(sandbox: Sandbox, client: OAuthClient) -> None:
    """It also ends what it once yielded (RFC 6749 §4.1.2)."""
    begun = client.begin(sandbox.confidential)
    callback = sandbox.consent(begun.url)
    tokens = client.exchange(sandbox.confidential, begun, callback)
    with pytest.raises(Refused) as refused:
        client.exchange(sandbox.confidential, begun, callback)
    assert refused.value.error == "invalid_grant"
    with pytest.raises(Refused) as refused:
        client.refresh(sandbox.confidential, tokens)
    assert refused.value.error == "invalid_grant"
    with pytest.raises(Refused) as refused:
        client.read(sandbox.confidential, tokens, sandbox.account)
    assert refused.value.status == 401


def test_expired_code(sandbox: Sandbox, client: OAuthClient) -> None:
    begun = client.begin(sandbox.confidential)
    callback = sandbox.consent(begun.url)
    sandbox.control("clock", advance=301)
    with pytest.raises(Refused) as refused:
        client.exchange(sandbox.confidential, begun, callback)
    assert refused.value.error == "invalid_grant"


def test_rotated_refresh_token(sandbox: Sandbox, client: OAuthClient) -> None:
    """Within the grace it is honoured; after it, it takes the newest one along."""
    first = sandbox.connected(client, sandbox.confidential)
    client.refresh(sandbox.confidential, first)
    newest = client.refresh(sandbox.confidential, first)
    sandbox.control("clock", advance=31)
    for tokens in (first, newest):
        with pytest.raises(Refused) as refused:
            client.refresh(sandbox.confidential, tokens)
        assert refused.value.error == "invalid_grant"


def test_refresh_token_revoked_by_another_connection(sandbox: Sandbox, client: OAuthClient) -> None:
    """“A new set expires all earlier refresh tokens”: two deployments that share one application."""
    first = sandbox.connected(client, sandbox.confidential)
    second = sandbox.connected(client, sandbox.confidential)
    with pytest.raises(Refused) as refused:
        client.refresh(sandbox.confidential, first)
    assert refused.value.error == "invalid_grant"
    assert client.refresh(sandbox.confidential, second)["access_token"]


def test_unused_refresh_token(sandbox: Sandbox, client: OAuthClient) -> None:
    tokens = sandbox.connected(client, sandbox.confidential)
    sandbox.control("clock", advance=180 * DAY + 1)
    with pytest.raises(Refused) as refused:
        client.refresh(sandbox.confidential, tokens)
    assert refused.value.error == "invalid_grant"


def test_expired_access_token(sandbox: Sandbox, client: OAuthClient) -> None:
    """The API refuses it after its expiry, and a refresh brings a new one."""
    tokens = sandbox.connected(client, sandbox.confidential)
    sandbox.control("clock", advance=DAY)
    with pytest.raises(Refused) as refused:
        client.read(sandbox.confidential, tokens, sandbox.account)
    assert refused.value.status == 401
    renewed = client.refresh(sandbox.confidential, tokens)
    assert client.read(sandbox.confidential, renewed, sandbox.account)["organization_name"]


def test_jose_accepts_access_tokens(sandbox: Sandbox, openid_client: NodeClient) -> None:
    """By the published keys, with the issuer and audience that clients of the vendor ask for."""
    tokens = sandbox.connected(openid_client, sandbox.confidential)
    asked: dict[str, Any] = {"keys": sandbox.base + KEYS, "issuer": ISSUER, "audience": AUDIENCE}
    read = openid_client.call("verify", access_token=tokens["access_token"], **asked)
    assert (read["alg"], read["cid"]) == ("RS256", sandbox.confidential.client_id)
    with pytest.raises(Refused, match="JWSSignatureVerificationFailed"):
        openid_client.call("verify", access_token=tokens["access_token"][:-4] + "AAAA", **asked)


def test_joserfc_accepts_access_tokens(sandbox: Sandbox, openid_client: NodeClient) -> None:
    """What Authlib checks tokens with."""
    tokens = sandbox.connected(openid_client, sandbox.public)
    keys = jwk.KeySet.import_key_set(requests.get(sandbox.base + KEYS, timeout=10).json())
    read = jwt.decode(tokens["access_token"], keys, algorithms=["RS256"])
    assert read.header["kid"]
    checks: dict[str, Any] = {"iss": {"essential": True, "value": ISSUER}, "aud": {"value": AUDIENCE}}
    jwt.JWTClaimsRegistry(**checks).validate(read.claims)
