"""The headers of every answer."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import SITE, MakeApp

EVERY_KIND = [
    "/",
    "/nowhere",
    "/health",
    "/lists",
    "/admin/",
    "/admin/sign-in",
    "/static/site.css",
    "/thank-you",
]


@pytest.mark.parametrize("path", EVERY_KIND)
def test_every_answer_is_protected(client: FlaskClient, path: str) -> None:
    """Pages, documents, errors and redirects all carry the same fence."""
    with client.get(path) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
        f"form-action 'self' {SITE}; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


def test_https_is_kept_only_where_it_is_used(make_app: MakeApp) -> None:
    """HSTS comes with an https address."""
    client = make_app(PUBLIC_BASE_URL="https://signup.example.com").test_client()
    assert client.get("/").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_views_own_policy_stands(admin: FlaskClient) -> None:
    """The OAuth pages forbid the referrer altogether, and keep that."""
    assert admin.get("/oauth/callback").headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/admin/", "/admin/sign-in"])
def test_admin_pages_are_not_kept(admin: FlaskClient, path: str) -> None:
    """Nothing of the admin's stays in a cache."""
    assert admin.get(path).headers["Cache-Control"] == "no-store"


def test_the_sandbox_is_left_alone(client: FlaskClient) -> None:
    """The sandbox is another application with a policy of its own."""
    headers = client.get("/sandbox/").headers
    assert SITE not in headers["Content-Security-Policy"]
    assert "X-Request-Id" not in headers


def test_no_page_has_inline_script_or_style(connected: FlaskClient, client: FlaskClient) -> None:
    """The policy would switch them off, silently."""
    pages = [connected.get("/admin/"), client.get("/admin/sign-in"), client.get("/")]
    pages.append(client.post("/subscribe", data={"email": "x"}))
    for page in pages:
        assert "<script" not in page.text
        assert "<style" not in page.text
        assert " style=" not in page.text
        assert " onclick=" not in page.text
