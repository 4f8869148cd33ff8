"""An application without a secret: PKCE alone proves that the code's sender asked for it."""

import base64
import hashlib
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, create_sandbox
from tests.sandbox.conftest import Clock
from tests.sandbox.vendor import REDIRECT_URI, TOKEN, Vendor

VERIFIER = "a-verifier-of-at-least-forty-three-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def public(vendor: Vendor, *, query: dict[str, Any] | None = None, **form: Any) -> TestResponse:
    form = {"client_id": SANDBOX_CLIENT_ID} | form
    return vendor.client.post(TOKEN, query_string=query, data=form)


def exchanged(vendor: Vendor, code: str, **form: Any) -> TestResponse:
    return public(vendor, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI, **form)


def connected(vendor: Vendor) -> dict[str, Any]:
    answer = exchanged(vendor, vendor.code(**ASKED), code_verifier=VERIFIER)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def refreshed(vendor: Vendor, token: str, **form: Any) -> TestResponse:
    return public(vendor, grant_type="refresh_token", refresh_token=token, **form)


def test_connects_and_refreshes(vendor: Vendor) -> None:
    """The client id in the body is enough, with the verifier and later with the refresh token."""
    first = connected(vendor)
    assert vendor.works(first["access_token"])
    second = refreshed(vendor, first["refresh_token"]).json or {}
    assert vendor.works(second["access_token"])
    assert second["refresh_token"] != first["refresh_token"]


def test_all_parameters_in_the_query(vendor: Vendor) -> None:
    """As in step 4 of the vendor's page pkce_flow."""
    query = {
        "client_id": SANDBOX_CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "code": vendor.code(**ASKED),
        "code_verifier": VERIFIER,
        "grant_type": "authorization_code",
    }
    answer = vendor.client.post(TOKEN, query_string=query)
    assert (answer.json or {})["access_token"]
    assert VERIFIER not in vendor.client.get("/_sandbox/requests").text


@pytest.mark.parametrize("verifier", [None, "w" * 43, ""])
def test_without_the_verifier_nobody_connects(vendor: Vendor, verifier: str | None) -> None:
    form = {} if verifier is None else {"code_verifier": verifier}
    answer = exchanged(vendor, vendor.code(**ASKED), **form)
    assert answer.status_code == 400
    assert (answer.json or {})["error"] == ("invalid_request" if verifier == "" else "invalid_grant")


def test_a_code_without_challenge_needs_the_secret(vendor: Vendor) -> None:
    """Anyone who intercepts the code could exchange it; the refusal does not use it up."""
    code = vendor.code()
    answer = exchanged(vendor, code)
    assert (answer.status_code, (answer.json or {})["error"]) == (401, "invalid_client")
    assert vendor.exchange(code).status_code == 200


def test_the_refresh_token_of_a_confidential_connection_needs_the_secret(vendor: Vendor) -> None:
    """Nor does a caller without the secret end that connection by a superseded token."""
    first = vendor.connect()
    second = vendor.refresh(first["refresh_token"]).json or {}
    vendor.advance(60)
    for token in (first["refresh_token"], second["refresh_token"]):
        answer = refreshed(vendor, token)
        assert (answer.status_code, (answer.json or {})["error"]) == (401, "invalid_client")
    assert vendor.refresh(second["refresh_token"]).status_code == 200


def test_replay_after_the_grace_ends_a_public_connection(vendor: Vendor) -> None:
    """Rotation is what protects the refresh token of a public client (RFC 9700 §4.14.2)."""
    first = connected(vendor)
    second = refreshed(vendor, first["refresh_token"]).json or {}
    vendor.advance(31)
    for token in (first["refresh_token"], second["refresh_token"]):
        assert (refreshed(vendor, token).json or {})["error"] == "invalid_grant"


def test_stays_public_across_a_restart(vendor: Vendor, clock: Clock) -> None:
    """The token contains whether its connection is public."""
    token = connected(vendor)["refresh_token"]
    confidential = vendor.connect(user="campaign_creator")["refresh_token"]
    restarted = Vendor(create_sandbox(clock).test_client())
    assert refreshed(restarted, token).status_code == 200
    assert refreshed(restarted, confidential).status_code == 401


def test_180_unused_days(vendor: Vendor) -> None:
    """The lifetime is the same with and without a secret."""
    token = connected(vendor)["refresh_token"]
    vendor.advance(180 * 86_400 + 1)
    assert (refreshed(vendor, token).json or {})["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("form", "shape"),
    [
        ({"client_id": "someone-else"}, "errorCode"),
        ({"client_id": ""}, "errorCode"),
        ({"client_id": [SANDBOX_CLIENT_ID, SANDBOX_CLIENT_ID]}, "error"),
        ({"client_id": []}, "error"),
        ({"client_secret": SANDBOX_CLIENT_SECRET}, "error"),
    ],
)
def test_who_does_not_name_itself_rightly(vendor: Vendor, form: dict[str, Any], shape: str) -> None:
    """An unknown id is answered as in Basic credentials; a secret in the body is refused."""
    answer = refreshed(vendor, connected(vendor)["refresh_token"], **form)
    assert (answer.status_code, (answer.json or {})[shape]) == (401, "invalid_client")


def test_an_empty_secret_is_none(vendor: Vendor) -> None:
    """By RFC 6749 §2.3.1 an empty secret is the same as none."""
    assert refreshed(vendor, connected(vendor)["refresh_token"], client_secret="").status_code == 200


def test_basic_credentials_beside_the_body(vendor: Vendor) -> None:
    """The same id twice is accepted, another id or the secret in both places is refused."""
    token = vendor.connect()["refresh_token"]
    credentials = {"grant_type": "refresh_token", "refresh_token": token}
    assert vendor.token(client_id="someone-else", **credentials).status_code == 401
    twice = vendor.token(client_secret=SANDBOX_CLIENT_SECRET, **credentials)
    assert (twice.status_code, (twice.json or {})["error"]) == (400, "invalid_request")
    assert vendor.token(client_id=SANDBOX_CLIENT_ID, **credentials).status_code == 200
