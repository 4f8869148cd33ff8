"""The headers of every answer."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import BROWSER, SITE, MakeApp
from tests.web.forms import make

EVERY_KIND = [
    "/",
    "/nowhere",
    "/health",
    "/lists",
    "/admin/",
    "/admin/sign-in",
    "/static/components.css",
    "/docs",
    "/signups/unknown",
    "/forms",
    "/subscribers",
]


@pytest.mark.parametrize("path", EVERY_KIND)
def test_every_answer_is_protected(client: FlaskClient, path: str) -> None:
    """Pages, documents, errors and redirects all have the security headers."""
    with client.get(path) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
        f"form-action 'self' {SITE}; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


def form_page(client: FlaskClient) -> Any:
    return client.get("/forms/spring-news")


def mistakes(client: FlaskClient) -> Any:
    return client.post("/subscribe", data={"form": "spring-news", "email": "ada"})


def mistakes_without_a_form(client: FlaskClient) -> Any:
    return client.post("/subscribe", data={"email": "ada"})


def too_much(client: FlaskClient) -> Any:
    return client.post("/subscribe", data={"email": "a" * 20_000})


def thanks(client: FlaskClient) -> Any:
    return client.get("/thank-you?form=spring-news")


def no_form(client: FlaskClient) -> Any:
    return client.get("/forms/unknown", headers={"Accept": BROWSER})


def taken(client: FlaskClient) -> Any:
    said = {"email": "ada@example.org", "first_name": "Ada", "consent": "version 1"}
    return client.post("/subscribe", data=said | {"form": "spring-news"})


VISITORS = [form_page, mistakes, mistakes_without_a_form, too_much, thanks, no_form, taken]


@pytest.mark.parametrize("open_page", VISITORS)
def test_visitors_pages_may_be_framed(
    app: Flask, admin: FlaskClient, open_page: Callable[[FlaskClient], Any]
) -> None:
    """Any site may frame them; they read and set no cookie, not even an admin's session counts."""
    make(app)
    answer = open_page(admin)
    assert "frame-ancestors" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")
    answer.close()


@pytest.mark.parametrize("path", ["/admin/", "/admin/forms/", "/admin/forms/spring-news", "/oauth/start"])
def test_the_admins_pages_may_not(app: Flask, admin: FlaskClient, path: str) -> None:
    """This includes the page with a form's preview and the sign-in page."""
    make(app)
    for browser in (admin, app.test_client()):
        policy = browser.get(path).headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "http:;" not in policy
        assert " https:" not in policy.replace(" https://", "")


@pytest.mark.parametrize("open_page", [form_page, mistakes, mistakes_without_a_form])
def test_a_visitors_form_may_lead_anywhere(
    app: Flask, client: FlaskClient, open_page: Callable[[FlaskClient], Any]
) -> None:
    """The service checks the thank-you page; where that page redirects to is unknown."""
    make(app, thank_you_url="https://thanks.example.com/")
    policy = open_page(client).headers["Content-Security-Policy"]
    assert "form-action 'self' http: https:;" in policy


def test_https_is_kept_only_where_it_is_used(make_app: MakeApp) -> None:
    """HSTS is sent only with an https address."""
    client = make_app(PUBLIC_BASE_URL="https://signup.example.com").test_client()
    assert client.get("/").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_views_own_policy_stands(admin: FlaskClient) -> None:
    """The OAuth pages send Referrer-Policy: no-referrer, which is not overwritten."""
    assert admin.get("/oauth/callback").headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/admin/", "/admin/sign-in"])
def test_admin_pages_are_not_kept(admin: FlaskClient, path: str) -> None:
    """Nothing of the admin's stays in a cache."""
    assert admin.get(path).headers["Cache-Control"] == "no-store"


def test_the_sandbox_is_left_alone(client: FlaskClient) -> None:
    """The sandbox is another application with headers of its own."""
    headers = client.get("/sandbox/").headers
    assert SITE not in headers["Content-Security-Policy"]
    assert "X-Request-Id" not in headers


def test_no_page_has_inline_script_or_style(connected: FlaskClient, client: FlaskClient) -> None:
    """The Content-Security-Policy would block them silently."""
    pages = [connected.get("/admin/"), client.get("/admin/sign-in"), client.get("/")]
    pages.append(client.post("/subscribe", data={"email": "x"}))
    for page in pages:
        assert re.search(r'<script(?! src="/)', page.text) is None
        assert "<style" not in page.text
        assert " style=" not in page.text
        assert " onclick=" not in page.text
