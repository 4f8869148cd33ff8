"""The pages of connecting, in a small app."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, get_flashed_messages, redirect
from flask.testing import FlaskClient
from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from oauth.authorization_server import AuthorizationServer
from oauth.connecting.connector import Connector
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import AccountUnavailable
from oauth.routes import create_blueprint
from tests.oauth.on_file import AttemptsOnFile, ConnectionsOnFile
from tests.oauth.vendor import Clock, Vendor

TEMPLATES = Path(__file__).parents[3] / "templates"
CALLBACK = "https://app.test/oauth/callback"


class Admin:
    """Who is at the browser."""

    signed_in = True
    # The public address, where the browser is at another one.
    elsewhere: str | None = None

    def guard(self) -> Response | None:
        return None if self.signed_in else redirect("/admin/sign-in")


@dataclass
class Account:
    """Whose account the consent opens."""

    account_id: str = "a-1"
    name: str = "Friends of the River"
    user: str = "olivia"
    may_manage_contacts: bool = True
    away: bool = False

    def of(self, _access_token: str) -> "Account":
        if self.away:
            raise AccountUnavailable
        return self


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def admin() -> Admin:
    return Admin()


@pytest.fixture
def app(
    admin: Admin,
    connections: ConnectionsOnFile,
    attempts: AttemptsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    account: Account,
) -> Flask:
    connector = Connector(
        OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait),
        attempts,
        account.of,
        scopes=("contact_data", "offline_access"),
        pkce=True,
        on_connected=lambda: None,
    )
    app = Flask(__name__)
    app.secret_key = "for the session"
    app.jinja_env.loader = ChoiceLoader(
        [DictLoader({"layout.html": "{% block content %}{% endblock %}"}), FileSystemLoader(TEMPLATES)]
    )
    app.register_blueprint(
        create_blueprint(
            connector,
            guard=admin.guard,
            starting=lambda: None,
            elsewhere=lambda: admin.elsewhere,
            redirect_uri=lambda: CALLBACK,
            home=lambda: "/admin/",
        )
    )
    app.add_url_rule("/flashed", view_func=lambda: " ".join(map(str, get_flashed_messages())))
    return app


@pytest.fixture
def browser(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


def start(browser: FlaskClient, **headers: str) -> dict[str, str]:
    """The query that goes to the vendor."""
    answer = browser.get("/oauth/start", headers=headers)
    assert answer.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def callback(browser: FlaskClient, **query: object) -> TestResponse:
    return browser.get("/oauth/callback", query_string=query)


def is_private(answer: TestResponse) -> bool:
    headers = answer.headers
    return headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"


def test_connecting_ends_at_the_dashboard(browser: FlaskClient, connections: ConnectionsOnFile) -> None:
    """303 to a clean address with a message; neither code nor state goes along."""
    state = start(browser)["state"]
    answer = callback(browser, state=state, code="the-code")
    assert (answer.status_code, answer.location) == (303, "/admin/")
    assert is_private(answer)
    assert "the-code" not in str(answer.headers)
    assert state not in str(answer.headers)
    assert connections.row.epoch == 2
    assert browser.get("/flashed").text == "Constant Contact is connected."


@pytest.mark.parametrize(("secure", "name"), [(True, "__Host-oauth_browser"), (False, "oauth_browser")])
def test_the_attempt_is_bound_to_the_browser_by_a_cookie(
    app: Flask, vendor: Vendor, secure: bool, name: str
) -> None:
    """HttpOnly, Lax, 15 minutes; Secure with the __Host- prefix wherever the app's cookies are secure."""
    app.config["SESSION_COOKIE_SECURE"] = secure
    with app.test_client() as browser:
        query = parse_qs(urlsplit(browser.get("/oauth/start", base_url="https://app.test").location).query)
        cookie = browser.get_cookie(name, domain="app.test")
        assert cookie is not None
        assert (cookie.http_only, cookie.same_site, cookie.secure) == (True, "Lax", secure)
        assert (cookie.max_age, cookie.path, len(cookie.value)) == (900, "/", 43)
        answer = browser.get(
            "/oauth/callback",
            base_url="https://app.test",
            query_string={"state": query["state"], "code": "c"},
        )
        assert answer.status_code == 303
        assert browser.get_cookie(name, domain="app.test") is None


def test_another_browser_is_refused(app: Flask, browser: FlaskClient, vendor: Vendor) -> None:
    """Somebody else's state and code connect nothing here."""
    state = start(browser)["state"]
    answer = callback(app.test_client(), state=state, code="the-code")
    assert answer.status_code == 400
    assert "another browser" in answer.text
    assert vendor.forms == []


def test_a_second_callback_says_already_used(browser: FlaskClient, vendor: Vendor) -> None:
    """Reload and back are explained, and harmless."""
    state = start(browser)["state"]
    callback(browser, state=state, code="the-code")
    answer = callback(browser, state=state, code="the-code")
    assert answer.status_code == 400
    assert "already used" in answer.text
    assert len(vendor.forms) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("code=the-code", 400),
        ("state=&code=the-code", 400),
        ("", 400),
        ("state=unknown&code=the-code", 400),
        ("state={state}&state={state}&code=the-code", 400),
        ("state={state}&code=the-code&code=the-code", 400),
        ("state={state}&error=a&error=b", 400),
        ("state={state}&code=" + "x" * 10_000, 400),
        ("state=" + "x" * 10_000 + "&code=the-code", 400),
        ("state={state}&code=a%00b", 400),
        ("state={state}&code=a%0Ab", 400),
        ("state={state}", 403),
        ("state={state}&code=", 403),
        ("state={state}&error=access_denied&code=the-code", 403),
        ("state={state}&error=%3Cscript%3E&error_description=%3Cscript%3E", 403),
    ],
)
def test_an_odd_callback_is_refused_without_a_call(
    browser: FlaskClient, vendor: Vendor, connections: ConnectionsOnFile, query: str, status: int
) -> None:
    """Cause and cure on a private page that echoes nothing; the connection stays."""
    before = connections.row
    state = start(browser)["state"]
    answer = browser.get("/oauth/callback?" + query.format(state=state))
    assert answer.status_code == status
    assert is_private(answer)
    assert "Connect" in answer.text
    for echoed in (state, "the-code", "<script", "script"):
        assert echoed not in answer.text
    assert vendor.forms == []
    assert connections.row == before


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ((400, '{"error": "invalid_grant"}'), 502, "too old or already used"),
        ((503, ""), 502, "503"),
        ((401, "{}"), 502, "CONSTANT_CONTACT_CLIENT_ID"),
        (
            (200, '{"access_token": "a", "token_type": "Bearer", "scope": "contact_data"}'),
            403,
            "offline_access",
        ),
    ],
)
def test_a_failed_exchange_shows_cause_and_cure(
    browser: FlaskClient, vendor: Vendor, answer: tuple[int, str], status: int, words: str
) -> None:
    """Each failure has its own words, and its status."""
    vendor.canned = [answer]
    page = callback(browser, state=start(browser)["state"], code="the-code")
    assert page.status_code == status
    assert words in page.text
    assert "the-code" not in page.text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "start"), ("GET", "callback?code=c&state=s"), ("POST", "disconnect")]
)
def test_a_stranger_is_sent_to_sign_in(
    browser: FlaskClient,
    admin: Admin,
    attempts: AttemptsOnFile,
    connections: ConnectionsOnFile,
    method: str,
    path: str,
) -> None:
    """No attempt is stored and nothing changes, also before the first connection."""
    admin.signed_in = False
    before = connections.row
    answer = browser.open(f"/oauth/{path}", method=method)
    assert (answer.status_code, answer.location) == (302, "/admin/sign-in")
    assert is_private(answer)
    assert attempts.open() == {}
    assert connections.row == before


def test_begun_elsewhere_it_starts_over_at_the_public_address(
    browser: FlaskClient, admin: Admin, attempts: AttemptsOnFile
) -> None:
    """Once: behind a proxy that hides the host, every address looks like another one."""
    admin.elsewhere = "https://app.test"
    answer = browser.get("/oauth/start")
    assert (answer.status_code, answer.location) == (303, "https://app.test/oauth/start?moved=1")
    assert is_private(answer)
    assert "Set-Cookie" not in answer.headers
    assert attempts.open() == {}
    assert browser.get("/oauth/start?moved=1").status_code == 302
    assert len(attempts.open()) == 1


def test_no_spoofed_host_and_no_next_parameter_changes_the_way(browser: FlaskClient, vendor: Vendor) -> None:
    """The redirect address comes from the configuration, the way home too."""
    query = start(browser, **{"Host": "evil.test", "X-Forwarded-Host": "evil.test"})
    assert query["redirect_uri"] == CALLBACK
    state = start(browser)["state"]
    answer = callback(browser, state=state, code="c", next="https://evil.test")
    assert answer.location == "/admin/"


def test_disconnecting_is_a_post(browser: FlaskClient, connections: ConnectionsOnFile) -> None:
    """A link or an image cannot disconnect."""
    assert browser.get("/oauth/disconnect").status_code == 405
    assert connections.row.state == "connected"
    answer = browser.post("/oauth/disconnect")
    assert (answer.status_code, answer.location) == (303, "/admin/")
    assert connections.row.state == "disconnected"
    assert "disconnected" in browser.get("/flashed").text


@pytest.mark.parametrize("path", ["/oauth/callback", "/oauth/start"])
def test_posting_elsewhere_is_refused(browser: FlaskClient, path: str) -> None:
    """The vendor comes back by GET only."""
    assert browser.post(path).status_code == 405


@pytest.mark.parametrize(
    ("change", "status", "cause", "cure"),
    [
        ({"account_id": "a-2", "name": "<b>Club</b>"}, 409, "“&lt;b&gt;Club&lt;/b&gt;”", "press Disconnect"),
        ({"account_id": "", "name": ""}, 403, "no Constant Contact account", "as the Account Owner"),
        ({"may_manage_contacts": False}, 403, "Campaign Creator", "as the Account Owner"),
        ({"away": True}, 502, "did not say to which account", "Wait a minute"),
    ],
)
def test_an_account_that_is_refused_shows_cause_and_cure(
    browser: FlaskClient,
    vendor: Vendor,
    connections: ConnectionsOnFile,
    account: Account,
    change: dict[str, str | bool],
    status: int,
    cause: str,
    cure: str,
) -> None:
    """The page names both, and does not promise that the vendor left the old connection alone."""
    connections.row = before = replace(connections.row, account_id="a-1", account_name="Friends of the River")
    for name, value in change.items():
        setattr(account, name, value)
    page = callback(browser, state=start(browser)["state"], code="the-code")
    assert page.status_code == status
    assert cause in page.text
    assert cure in page.text
    assert "unless Constant Contact ended it" in page.text
    assert "stays as it was" not in page.text
    assert connections.row == before


def test_a_refusal_before_any_token_promises_the_old_connection(browser: FlaskClient, vendor: Vendor) -> None:
    """Where the vendor issued nothing, nothing can have ended."""
    page = callback(browser, state=start(browser)["state"], error="access_denied")
    assert "stays as it was" in page.text
