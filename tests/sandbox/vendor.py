"""Steps that tests repeat: consent, exchange, refresh, sign up, control."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET

AUTHORIZE = "/oauth2/default/v1/authorize"
TOKEN = "/oauth2/default/v1/token"
SIGN_UP = "/v3/contacts/sign_up_form"
REDIRECT_URI = "https://app.example.org/oauth/callback"
SCOPE = "contact_data account_read offline_access"


class Vendor:
    """Calls the sandbox as a person and an application would, by the test client."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def authorize(self, *, user: str = "owner", decision: str = "allow", **query: str | None) -> TestResponse:
        asked = {
            "client_id": SANDBOX_CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": SCOPE,
            "state": "opaque",
        } | query
        asked = {name: value for name, value in asked.items() if value is not None}
        return self.client.post(AUTHORIZE, query_string=asked, data={"user": user, "decision": decision})

    def code(self, **kwargs: Any) -> str:
        return answer_of(self.authorize(**kwargs))["code"]

    def token(self, *, auth: tuple[str, str] | None = None, **form: Any) -> TestResponse:
        credentials = auth or (SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET)
        return self.client.post(TOKEN, data=form, auth=credentials)

    def exchange(self, code: str, *, redirect_uri: str = REDIRECT_URI, **form: Any) -> TestResponse:
        return self.token(grant_type="authorization_code", code=code, redirect_uri=redirect_uri, **form)

    def refresh(self, refresh_token: str) -> TestResponse:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    def connect(self, **kwargs: Any) -> dict[str, Any]:
        answer = self.exchange(self.code(**kwargs))
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})

    def call(
        self, access_token: str, method: str, path: str, body: Any = None, **kwargs: Any
    ) -> TestResponse:
        if body is not None:
            kwargs["json"] = body
        headers = {"Authorization": f"Bearer {access_token}"}
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def works(self, access_token: str) -> bool:
        return self.call(access_token, "GET", "/v3/account/summary").status_code == 200

    def settings(self, **changes: Any) -> None:
        assert self.client.post("/_sandbox/settings", json=changes).status_code == 200

    def fault(self, *, times: int | None = 1, path: str = "/v3/", **fault: Any) -> None:
        order = {"match": {"path": path}, "times": times, "fault": fault}
        assert self.client.post("/_sandbox/faults", json=order).status_code == 201

    def advance(self, seconds: float) -> None:
        assert self.client.post("/_sandbox/clock", json={"advance": seconds}).status_code == 200

    def state(self) -> dict[str, Any]:
        return dict(self.client.get("/_sandbox/state").json or {})

    def contact(self) -> dict[str, Any]:
        (contact,) = self.state()["contacts"]
        return dict(contact)

    def contact_named(self, address: str) -> dict[str, Any]:
        return next(dict(c) for c in self.state()["contacts"] if c["email_address"] == address)

    def calls(self) -> list[dict[str, Any]]:
        return list((self.client.get("/_sandbox/requests").json or {})["requests"])


def answer_of(redirect: TestResponse) -> dict[str, str]:
    """Return the query with which the browser is sent back to the application."""
    assert redirect.status_code in (302, 303), redirect.text
    return {
        name: values[0] for name, values in parse_qs(urlsplit(redirect.headers["Location"]).query).items()
    }


def person(**members: Any) -> dict[str, Any]:
    """Return a sign-up body that the contract accepts."""
    return {"email_address": "ada@example.com", "list_memberships": [PRESET_LIST_ID]} | members
