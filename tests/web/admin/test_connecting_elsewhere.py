"""Connecting that begins at another address than PUBLIC_BASE_URL's: it starts over there, or says why."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import PASSWORD, MakeApp, csrf_token, use_link

PUBLIC = "https://signup.example.org"
DEVELOPMENT = "http://localhost:5000"
MARKED = "/oauth/start?moved=1"


def signed_in_at(make_app: MakeApp, address: str, **environ: str) -> tuple[FlaskClient, dict[str, Any]]:
    """A browser that an admin opened at that address."""
    app = make_app(**environ)
    browser, here = app.test_client(), {"base_url": address}
    link = f"/admin/sign-in/{app.extensions['services'].admin.new_link_token()}"
    assert use_link(browser, link, **here).status_code == 303
    return browser, here


@pytest.mark.parametrize(
    ("public", "address"),
    [
        (PUBLIC, "https://signup.onrender.example"),
        (PUBLIC, "https://www.signup.example.org"),
        (PUBLIC, "https://signup.example.org:8443"),
        (PUBLIC, "https://evil.example"),
        (DEVELOPMENT, "http://127.0.0.1:5000"),
        (DEVELOPMENT, "http://localhost:8000"),
        (DEVELOPMENT, "https://localhost:5000"),
        (DEVELOPMENT, "http://[::1]:5000"),
    ],
)
def test_it_starts_over_at_the_public_address(make_app: MakeApp, public: str, address: str) -> None:
    """Another host, scheme or port redirects there; no authorization request begins."""
    browser, here = signed_in_at(make_app, address, PUBLIC_BASE_URL=public)
    answer = browser.get("/oauth/start", **here)
    assert (answer.status_code, answer.location) == (303, f"{public}{MARKED}")
    assert "oauth_browser" not in str(answer.headers)


@pytest.mark.parametrize(
    ("public", "address"),
    [
        (PUBLIC, PUBLIC),
        (PUBLIC, "https://signup.example.org:443"),
        ("https://Signup.Example.org/", PUBLIC),
        (DEVELOPMENT, DEVELOPMENT),
        ("", "http://127.0.0.1:5000"),
    ],
)
def test_at_the_public_address_it_goes_on_at_once(make_app: MakeApp, public: str, address: str) -> None:
    """However the address is spelled; in development without a setting every address is the public one."""
    browser, here = signed_in_at(make_app, address, PUBLIC_BASE_URL=public)
    answer = browser.get("/oauth/start", **here)
    assert answer.status_code == 302
    assert "/authorize" in answer.location


def test_a_stranger_signs_in_first(make_app: MakeApp) -> None:
    """/oauth/start asks strangers to sign in at the other address as well."""
    browser = make_app(PUBLIC_BASE_URL=PUBLIC).test_client()
    answer = browser.get("/oauth/start", base_url="https://evil.example")
    assert answer.location == "/admin/sign-in?next=/oauth/start"


def test_there_the_sign_in_page_says_why_it_asks_again(make_app: MakeApp) -> None:
    """The other address's session does not count; after signing in, connecting goes on."""
    browser, here = make_app(PUBLIC_BASE_URL=DEVELOPMENT).test_client(), {"base_url": DEVELOPMENT}
    answer = browser.get(MARKED, **here)
    assert answer.status_code == 303
    page = browser.get(answer.location, **here).text
    assert f"Connecting goes on here, at {DEVELOPMENT}" in page
    form = {"csrf_token": csrf_token(page), "password": PASSWORD, "next": "/oauth/start"}
    assert browser.post("/admin/sign-in", data=form, **here).headers["Refresh"] == "0; url=/oauth/start"
    assert "/authorize" in browser.get("/oauth/start", **here).location


def test_behind_a_proxy_that_hides_the_host_it_ends_and_connects(make_app: MakeApp) -> None:
    """The browser is at the public address, but the request names another host: one redirect, no more."""
    hidden = "http://app:5000"
    browser, here = signed_in_at(make_app, hidden, PUBLIC_BASE_URL=DEVELOPMENT)
    again = browser.get("/oauth/start", **here).location
    assert again.startswith(DEVELOPMENT)
    consent = browser.get(again.removeprefix(DEVELOPMENT), **here).location
    back = browser.post(
        consent.removeprefix(DEVELOPMENT), data={"decision": "allow", "user": "owner"}, **here
    ).location
    assert back.startswith(f"{DEVELOPMENT}/oauth/callback?")
    query = parse_qs(urlsplit(back).query)
    assert browser.get("/oauth/callback", query_string=query, **here).status_code == 303


def test_nothing_in_the_address_decides_where_to_go(make_app: MakeApp) -> None:
    """Neither the Host header nor a parameter becomes a redirect."""
    browser, here = signed_in_at(make_app, "https://evil.example", PUBLIC_BASE_URL=PUBLIC)
    answer = browser.get("/oauth/start?next=https://evil.example&elsewhere=x", **here)
    assert answer.location == f"{PUBLIC}{MARKED}"


def test_a_callback_that_is_not_known_names_the_right_address(make_app: MakeApp) -> None:
    """An admin who began at another address reads where to begin."""
    browser, here = signed_in_at(make_app, PUBLIC, PUBLIC_BASE_URL=PUBLIC)
    answer = browser.get("/oauth/callback?code=a&state=b", **here)
    assert answer.status_code == 400
    assert "at the address that PUBLIC_BASE_URL names" in answer.text


@pytest.mark.parametrize(("address", "named"), [("http://signup.example.org", True), (PUBLIC, False)])
def test_where_no_cookie_is_kept_the_page_says_where_it_is(
    make_app: MakeApp, address: str, *, named: bool
) -> None:
    """Without TLS an https address's cookie is not sent, so CSRF fails; the page names the address."""
    browser = make_app(PUBLIC_BASE_URL=PUBLIC).test_client()
    page = browser.get("/admin/sign-in", base_url=address).text
    browser.delete_cookie("subscriber_sync", domain="signup.example.org")
    form = {"csrf_token": csrf_token(page), "password": PASSWORD}
    answer = browser.post("/admin/sign-in", data=form, base_url=address)
    assert answer.status_code == 400
    assert (f"open {PUBLIC}/admin/ instead" in answer.text) is named
