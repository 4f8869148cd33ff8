"""The vendor's token endpoint with rotating refresh tokens, and a clock."""

import base64
import json
import threading
from collections.abc import Callable
from urllib.parse import parse_qs

import requests
import responses

BASE_URL = "https://authz.test/oauth2/default/v1"
TOKEN_URL = f"{BASE_URL}/token"
START = 1_800_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR

HttpAnswer = tuple[int, dict[str, str], str]
Answer = tuple[int, str] | Exception


class Clock:
    """Epoch ms, moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


class Vendor:
    """Issues numbered tokens; a superseded refresh token gets invalid_grant.

    ``canned`` answers go out first, one a call; an ``outage`` is the answer to all calls while it lasts;
    ``meanwhile`` runs while a call is under way.
    """

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str | None] = []
        self.issued = 0
        self.refresh = "refresh-secret-0"
        self.extra: dict[str, object] = {}
        self.canned: list[Answer] = []
        self.outage: Answer | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        mock.add_callback(responses.POST, TOKEN_URL, callback=self._answer)

    def _answer(self, request: requests.PreparedRequest) -> HttpAnswer:
        body = request.body if isinstance(request.body, str) else ""
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        with self._lock:
            self.forms.append(form)
            sent = request.headers.get("Authorization")
            self.authorizations.append(None if sent is None else str(sent))
            self.meanwhile()
            canned = self.canned.pop(0) if self.canned else self.outage
            return self._issue(form) if canned is None else given(canned)

    def _issue(self, form: dict[str, str]) -> HttpAnswer:
        if form.get("refresh_token", self.refresh) != self.refresh:
            return 400, {}, '{"error": "invalid_grant", "error_description": "stale"}'
        self.issued += 1
        self.refresh = f"refresh-secret-{self.issued}"
        answer = {
            "token_type": "Bearer",
            "expires_in": 86400,
            "access_token": f"access-secret-{self.issued}",
            "refresh_token": self.refresh,
            "scope": "contact_data account_read offline_access",
        }
        merged = {name: value for name, value in (answer | self.extra).items() if value is not None}
        return 200, {}, json.dumps(merged)


def given(answer: Answer) -> HttpAnswer:
    """What `responses` makes of it."""
    if isinstance(answer, Exception):
        raise answer
    return answer[0], {}, answer[1]


def jwt(**claims: object) -> str:
    """An unsigned JWT with these claims."""
    parts = ({"alg": "none"}, claims)
    head, payload = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
    return f"{head}.{payload}.c2lnbmF0dXJl"
