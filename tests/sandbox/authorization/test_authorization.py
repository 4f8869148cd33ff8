"""The authorization page."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client
from werkzeug.wrappers import Response

from sandbox import create_sandbox
from tests.sandbox.vendor import AUTHORIZE, REDIRECT_URI, SCOPE, Vendor, answer_of

ASKED = {
    "client_id": "sandbox-client",
    "redirect_uri": REDIRECT_URI,
    "response_type": "code",
    "scope": SCOPE,
    "state": "a b&c",
}


def test_one_page_signs_in_and_asks(client: FlaskClient) -> None:
    """One page, under a strict policy, holds the users with the Owner first, a password and both buttons."""
    answer = client.get(AUTHORIZE, query_string=ASKED)
    assert '<option value="owner" selected>Owner (owner@example.com)' in answer.text
    assert 'value="sandbox"' in answer.text
    assert 'name="decision" value="allow"' in answer.text
    assert 'name="decision" value="deny"' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "form-action" not in policy
    assert "<script" not in answer.text
    assert " style=" not in answer.text


def test_allow_sends_code_and_state_back(vendor: Vendor) -> None:
    """Allowing leads to redirect_uri with its own query kept, a code and the very same state."""
    answer = vendor.authorize(redirect_uri="https://app.example.org/cb?tenant=7", state="a b&c")
    assert answer.headers["Location"].startswith("https://app.example.org/cb?tenant=7&")
    assert answer_of(answer)["state"] == "a b&c"
    assert answer_of(answer)["code"]


def test_deny_sends_access_denied_back(vendor: Vendor) -> None:
    """Denying leads to redirect_uri with error, description and state, and no code."""
    answer = answer_of(vendor.authorize(decision="deny"))
    assert answer["error"] == "access_denied"
    assert answer["error_description"]
    assert answer["state"] == "opaque"
    assert answer.keys() == {"error", "error_description", "state"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "someone-else"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "/relative"},
        {"redirect_uri": "http://["},
        {"redirect_uri": "https://app.example.org/cb#part"},
    ],
)
def test_bad_client_or_redirect_uri_is_never_redirected(vendor: Vendor, wrong: dict[str, Any]) -> None:
    """A bad client_id or redirect_uri ends on an error page of the vendor."""
    answer = vendor.authorize(**wrong)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "contact_data everything"}, "invalid_scope"),
        ({"code_challenge": "x" * 43}, "invalid_request"),
        ({"code_challenge": "x" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
    ],
)
def test_other_mistakes_are_told_to_the_application(
    vendor: Vendor, wrong: dict[str, Any], error: str
) -> None:
    """With client and redirect_uri in order, a mistake goes back to the application."""
    answer = answer_of(vendor.authorize(**wrong))
    assert (answer["error"], answer["state"]) == (error, "opaque")


def test_mounted_under_a_path_every_address_keeps_it() -> None:
    """Under a mount point the form, the style sheet and the links stay below it, and the form works."""

    def nothing(environ: object, start_response: object) -> list[bytes]:
        raise AssertionError(environ)

    client = Client(DispatcherMiddleware(nothing, {"/sandbox": create_sandbox()}), Response)
    page = client.get(f"/sandbox{AUTHORIZE}", query_string=ASKED)
    assert f'action="/sandbox{AUTHORIZE}?client_id=' in page.text
    assert 'href="/sandbox/static/sandbox.css"' in page.text
    assert 'href="/sandbox/_sandbox/state"' in client.get("/sandbox/").text
    action = page.text.split('action="')[1].split('"')[0].replace("&amp;", "&")
    assert answer_of(client.post(action, data={"user": "owner", "decision": "allow"}))["state"] == "a b&c"
