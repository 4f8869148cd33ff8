"""The real application over an SQLite file and the built-in sandbox."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.security import generate_password_hash

from app import create_app
from settings import Settings

PASSWORD = "correct horse"
# A cheap hash: the tests are not about scrypt's cost.
PASSWORD_HASH = generate_password_hash(PASSWORD, "scrypt:1024:8:1")
API_KEY = "key-of-the-shop-0123456789"
BY_KEY = {"Authorization": f"Bearer {API_KEY}"}
CONFIRM = "If an e-mail asks you to confirm, please do."
THANKS = f"Thank you. {CONFIRM}"
SITE = "https://www.example.org"

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

MakeApp = Callable[..., Flask]


class Browser(FlaskClient):
    """Sends a form as a browser does, with its Accept, unless the test says another."""

    def open(self, *args: Any, **options: Any) -> Any:
        form = isinstance(options.get("data"), dict | list) or "form" in str(options.get("content_type", ""))
        headers = Headers(options.get("headers") or {})
        if form and options.get("method") == "POST" and "Accept" not in headers:
            headers["Accept"] = BROWSER
        return super().open(*args, **options | {"headers": headers})


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[MakeApp]:
    """Build an app with other environment variables; each call shares the test's database."""
    made: list[Flask] = []

    def make(**environ: str) -> Flask:
        app = create_app(
            Settings.from_env(
                {
                    "APP_ENV": "development",
                    "DATA_DIR": str(tmp_path),
                    "ADMIN_PASSWORD": PASSWORD_HASH,
                    "API_KEYS": API_KEY,
                    "ALLOWED_ORIGINS": SITE,
                    "SUBSCRIBE_WAIT_SECONDS": "0",
                    **environ,
                }
            )
        )
        app.test_client_class = Browser
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["parts"].database.close()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def list_id(app: Flask) -> str:
    """The list that anonymous forms may join."""
    found: str = app.config["PUBLIC_LIST_IDS"][0]
    return found


@pytest.fixture
def admin(app: Flask) -> FlaskClient:
    """A browser that is signed in."""
    browser = app.test_client()
    sign_in(browser)
    return browser


@pytest.fixture
def connected(admin: FlaskClient) -> FlaskClient:
    """A browser that is signed in and has connected the sandbox."""
    connect(admin)
    return admin


def csrf_token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def sign_in(browser: FlaskClient, password: str = PASSWORD, **form: str) -> Any:
    token = csrf_token(browser.get("/admin/sign-in").text)
    return browser.post("/admin/sign-in", data={"csrf_token": token, "password": password, **form})


def use_link(browser: FlaskClient, link: str, **sent: Any) -> Any:
    """Open the one-time link and press its button; `sent` goes with both requests."""
    page = browser.get(link, **sent)
    return browser.post(link, data={"csrf_token": csrf_token(page.text)}, **sent)


def connect(admin: FlaskClient) -> None:
    """Consent as a person would, by the sandbox's own page."""
    consent = admin.get("/oauth/start").location
    back = admin.post(consent, data={"decision": "allow", "user": "owner"}).location
    parts = urlsplit(back)
    answer = admin.get(parts.path, query_string=parse_qs(parts.query))
    assert answer.status_code == 303, answer.text


class Logged:
    """What was logged, as dictionaries."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __call__(self, _logger: Any, _method: str, event: Any) -> Any:
        self.events.append(dict(event))
        return event

    def of(self, event: str) -> list[dict[str, Any]]:
        return [logged for logged in self.events if logged["event"] == event]


@pytest.fixture
def logged(app: Flask) -> Iterator[Logged]:
    logged = Logged()
    before_rendering = structlog.get_config()["processors"]
    before_rendering.insert(-1, logged)
    yield logged
    before_rendering.remove(logged)
