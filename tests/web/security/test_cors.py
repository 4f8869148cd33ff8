"""Calls by scripts of other sites."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import SITE, MakeApp
from tests.web.forms import SHOP, make

UNKNOWN = "/signups/01890000-0000-7000-8000-000000000000"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
ALLOW = "Access-Control-Allow-Origin"


@pytest.mark.parametrize("origin", [SITE, SHOP])
@pytest.mark.parametrize("path", ["/subscribe", "/forms/spring-news.json", UNKNOWN])
def test_a_preflight_of_an_allowed_site_is_granted(
    app: Flask, client: FlaskClient, origin: str, path: str
) -> None:
    """Sites of the settings and of forms are allowed, for their exact origin, without credentials."""
    make(app)
    answer = client.options(path, headers={"Origin": origin, **PREFLIGHT})
    assert answer.status_code == 200
    assert answer.headers[ALLOW] == origin
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"]
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        f"{SHOP}.evil.example",
        f"{SHOP}:8443",
        SHOP.replace("https", "http"),
        SHOP.replace("shop.", ""),
        SHOP.replace("shop", "my.shop"),
        f"{SHOP}/",
        "https://thanks.example.com",
        "NULL",
        "*",
        "",
    ],
)
def test_no_other_site_is(app: Flask, client: FlaskClient, origin: str) -> None:
    """Origins are compared whole; the site of a form's thank-you page may not call."""
    make(app, thank_you_url="https://thanks.example.com/")
    headers = {"Origin": origin}
    for answer in (
        client.options("/subscribe", headers=headers | PREFLIGHT),
        client.get("/forms/spring-news.json", headers=headers),
    ):
        assert [name for name, _ in answer.headers if name.startswith("Access-Control")] == []
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/forms/unknown.json", 404),
        ("GET", "/forms/a/b/c", 404),
        ("GET", UNKNOWN, 404),
        ("GET", "/signups/no-id", 404),
        ("GET", "/subscribe", 405),
        ("POST", "/subscribe", 415),
    ],
)
def test_errors_carry_the_headers_too(
    app: Flask, client: FlaskClient, method: str, path: str, status: int
) -> None:
    """Otherwise the script would see a network error instead of the cause and the cure."""
    make(app)
    answer = client.open(path, method=method, headers={"Origin": SHOP})
    assert answer.status_code == status
    assert answer.headers[ALLOW] == SHOP
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


def test_refusals_carry_the_headers_too(app: Flask, client: FlaskClient) -> None:
    """Answers to wrong fields, broken JSON and too large a body have them."""
    make(app)
    for body, status in ((b"{}", 422), (b"{", 400), (b"x" * 70_000, 413)):
        answer = client.post(
            "/subscribe", data=body, content_type="application/json", headers={"Origin": SHOP}
        )
        assert (answer.status_code, answer.headers[ALLOW]) == (status, SHOP)


def test_a_site_may_call_until_its_form_is_archived(app: Flask, client: FlaskClient) -> None:
    """After that its origin is refused."""
    make(app)
    assert ALLOW in client.get(UNKNOWN, headers={"Origin": SHOP}).headers
    app.extensions["services"].forms.archive("spring-news")
    assert ALLOW not in client.get(UNKNOWN, headers={"Origin": SHOP}).headers


@pytest.mark.parametrize(
    "path", ["/", "/lists", "/health", "/admin/forms/", "/admin/", "/thank-you", "/docs"]
)
def test_nothing_else_may_be_called(app: Flask, client: FlaskClient, path: str) -> None:
    """No other route has CORS headers, for sites of the settings and of forms."""
    make(app)
    for origin in (SITE, SHOP):
        assert ALLOW not in client.get(path, headers={"Origin": origin}).headers


def test_who_sends_no_origin_gets_none(app: Flask, client: FlaskClient) -> None:
    """The answer has Vary: Origin, so that caches keep one for each origin."""
    make(app)
    answer = client.get("/forms/spring-news.json")
    assert ALLOW not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_a_dead_database_is_told_to_a_foreign_site_as_such(make_app: MakeApp, tmp_path: Path) -> None:
    """The answer is 503 and not 500, although the forms cannot be read for their sites."""
    (tmp_path / "file").touch()
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db").test_client()
    body = {"email": "ada@example.org", "form": "spring-news"}
    assert client.post("/subscribe", json=body, headers={"Origin": SHOP}).status_code == 503
    known = client.post("/subscribe", json=body, headers={"Origin": SITE})
    assert (known.status_code, known.headers[ALLOW]) == (503, SITE)
