"""In production nothing is made from the Host header, which whoever sends a request chooses."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import BY_KEY, PASSWORD, SITE, MakeApp, csrf_token
from tests.web.forms import LIST_ID, make

EVIL = "evil.example"
PRODUCTION = {
    "APP_ENV": "production",
    "CONSTANT_CONTACT_CLIENT_ID": "application",
    "CONSTANT_CONTACT_CLIENT_SECRET": "3f9a1c7e5b2d8f60",
    "SECRET_KEY": "b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56",
    "ENCRYPTION_KEYS": "243f6a8885a308d313198a2e03707344a4093822299f31d0",
    "PUBLIC_LIST_IDS": LIST_ID,
}
HERE = {"base_url": f"https://{EVIL}"}
BODY = {"email": "ada@example.org", "list_id": LIST_ID}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """Return a production app without PUBLIC_BASE_URL."""
    return make_app(**PRODUCTION)


@pytest.fixture
def admin(app: Flask) -> FlaskClient:
    browser = app.test_client()
    here: Any = HERE
    token = csrf_token(browser.get("/admin/sign-in", **here).text)
    referer = {"Referer": f"https://{EVIL}/admin/sign-in"}
    data = {"csrf_token": token, "password": PASSWORD}
    assert browser.post("/admin/sign-in", data=data, headers=referer, **here).status_code == 303
    return browser


def get(client: FlaskClient, path: str) -> Any:
    here: Any = HERE
    return client.get(path, **here)


def test_a_description_that_caches_keep_is_refused(app: Flask, client: FlaskClient) -> None:
    """It holds the form's target address, which a cache would give to others for a minute."""
    make(app)
    answer = get(client, "/forms/spring-news.json")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert "PUBLIC_BASE_URL" in answer.get_json()["detail"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert EVIL not in answer.text


def test_with_the_address_the_header_decides_nothing(make_app: MakeApp) -> None:
    """With PUBLIC_BASE_URL the description is the same for every Host header."""
    app = make_app(**PRODUCTION, PUBLIC_BASE_URL="https://signup.example.org")
    make(app, protection="captcha")
    answer = get(app.test_client(), "/forms/spring-news.json")
    assert answer.get_json()["action"] == "https://signup.example.org/subscribe"
    assert "max-age" in answer.headers["Cache-Control"]
    assert EVIL not in answer.text


def test_in_development_the_header_is_the_address(make_app: MakeApp) -> None:
    """A first run needs no setting."""
    app = make_app()
    make(app)
    assert (
        get(app.test_client(), "/forms/spring-news.json").get_json()["action"] == f"https://{EVIL}/subscribe"
    )


def test_no_visitor_is_sent_there(app: Flask, client: FlaskClient) -> None:
    """A redirect to this service's own site would be one to any site."""
    here: Any = HERE
    for page, to in ((f"https://{EVIL}/thanks", "/thank-you"), (f"{SITE}/thanks", f"{SITE}/thanks")):
        assert client.post("/subscribe", data=BODY | {"redirect": page}, **here).location == to


def test_it_is_no_evidence(app: Flask, client: FlaskClient) -> None:
    """The consent to text messages records the page, which a forged Host header must not become."""
    here: Any = HERE
    sms = {"sms_number": "+447400123456", "sms_consent": "Yes."}
    assert client.post("/subscribe", json=BODY | sms, **here).status_code == 202
    with app.extensions["parts"].database.reading() as connection:
        (kept,) = connection.exec_driver_sql("SELECT sms FROM signups").one()
    assert EVIL not in kept


def test_a_keys_holder_gets_a_relative_address(app: Flask, client: FlaskClient) -> None:
    """The sign-up is stored, and the status address is relative to where it was sent."""
    here: Any = HERE
    answer = client.post("/subscribe", json=BODY, headers=BY_KEY, **here)
    assert answer.status_code == 202
    assert answer.get_json()["status_url"] == f"/signups/{answer.get_json()['id']}"
    assert answer.location == answer.get_json()["status_url"]


def test_the_apis_description_names_no_host(client: FlaskClient) -> None:
    """A generated client calls the host from which it read the description."""
    assert get(client, "/openapi.json").get_json()["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("path", ["/", "/docs", "/thank-you", "/forms/spring-news", "/embed.js", "/health"])
def test_pages_for_visitors_name_it_nowhere(app: Flask, client: FlaskClient, path: str) -> None:
    """The Host header is in no text and no header of an answer."""
    make(app)
    with get(client, path) as answer:
        assert answer.status_code == 200
        assert EVIL not in answer.text
        assert EVIL not in str(answer.headers)


@pytest.mark.parametrize("path", ["/admin/", "/admin/forms/spring-news"])
def test_the_admins_pages_say_what_to_set(app: Flask, admin: FlaskClient, path: str) -> None:
    """They offer nothing to copy that would lead visitors to another host."""
    make(app)
    page = get(admin, path)
    assert page.status_code == 200
    assert "there is nothing to copy yet" in page.text
    assert "<code>PUBLIC_BASE_URL</code>" in page.text
    assert EVIL not in page.text


def test_connecting_is_refused_with_the_cure(admin: FlaskClient) -> None:
    """Otherwise the vendor would send the code to the forged address."""
    answer = get(admin, "/oauth/start")
    assert answer.status_code == 503
    assert "PUBLIC_BASE_URL" in answer.text
