"""Every address of the admin's pages, by every method: what strangers and admins are answered."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import csrf_token, use_link
from tests.web.forms import make

# Methods of the columns below; POST once without and once with the page's CSRF token.
COLUMNS = ("GET", "HEAD", "OPTIONS", "POST", "POST with token", "PUT")
SIGNUP = "0190a5d8-0000-7000-8000-000000000000"
NO_PAGE = "404 404 404 404 404 404"
NO_SLASH = "308 308 308 404 404 404"
# address: (what a stranger is answered, what an admin is answered)
ANSWERS = {
    "/admin": (NO_SLASH, NO_SLASH),
    "/admin/": ("303 303 303 405 405 405", "200 200 200 405 405 405"),
    "/admin/live": ("303 303 303 405 405 405", "200 200 200 405 405 405"),
    "/admin/nowhere": (NO_PAGE, NO_PAGE),
    "/admin/sign-in": ("200 200 200 400 401 405", "303 303 200 400 401 405"),
    "/admin/sign-in/forged": ("401 401 200 400 401 405", "303 303 200 303 303 405"),
    "/admin/sign-out": ("405 405 303 400 303 405", "405 405 200 400 303 405"),
    "/admin/forms": (NO_SLASH, NO_SLASH),
    "/admin/forms/": ("303 303 303 405 405 405", "200 200 200 405 405 405"),
    "/admin/forms/new": ("303 303 303 400 303 405", "200 200 200 400 422 405"),
    "/admin/forms/spring-news": ("303 303 303 400 303 405", "200 200 200 400 422 405"),
    "/admin/forms/spring-news/edit": ("303 303 303 400 303 405", "200 200 200 400 422 405"),
    "/admin/forms/spring-news/archive": ("405 405 303 400 303 405", "405 405 200 400 303 405"),
    "/admin/forms/gone": ("303 303 303 400 303 405", "404 404 200 400 404 405"),
    "/admin/signups/": ("303 303 303 405 405 405", "200 200 200 405 405 405"),
    "/admin/signups/retry": ("405 405 303 400 303 405", "405 405 200 400 303 405"),
    "/admin/signups/lists": ("405 405 303 400 303 405", "405 405 200 400 303 405"),
    f"/admin/signups/{SIGNUP}/retry": ("405 405 303 400 303 405", "405 405 200 400 303 405"),
    f"/admin/signups/{SIGNUP}/drop": ("405 405 303 400 303 405", "405 405 200 400 303 405"),
    "/admin/suspected/": ("303 303 303 405 405 405", "200 200 200 405 405 405"),
    "/admin/suspected/release-all": ("303 303 303 400 303 405", "404 404 200 400 400 405"),
    "/admin/suspected/delete-all?reason=honeypot": ("303 303 303 400 303 405", "200 200 200 400 400 405"),
    f"/admin/suspected/{SIGNUP}/release": ("405 405 303 400 303 405", "405 405 200 400 404 405"),
    f"/admin/suspected/{SIGNUP}/delete": ("405 405 303 400 303 405", "405 405 200 400 404 405"),
    "/oauth/start": ("303 303 303 405 405 405", "302 302 200 405 405 405"),
    "/oauth/callback": ("303 303 303 405 405 405", "400 400 200 405 405 405"),
    "/oauth/disconnect": ("405 405 303 400 303 405", "405 405 200 400 303 405"),
    "/oauth/nowhere": (NO_PAGE, NO_PAGE),
}


def answers(browser: FlaskClient, address: str, page_with_token: str) -> str:
    """The status of each column; fails for an answer without the headers of every admin's page."""
    statuses = []
    for column in COLUMNS:
        method, _, with_token = column.partition(" with ")
        form = {"csrf_token": csrf_token(browser.get(page_with_token).text)} if with_token else {}
        answer = browser.open(address, method=method, data=form)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        statuses.append(str(answer.status_code))
    return " ".join(statuses)


@pytest.mark.parametrize("address", ANSWERS)
def test_what_strangers_and_admins_are_answered(app: Flask, address: str) -> None:
    """Each method of each address is answered as the table says, to a stranger and to an admin."""
    make(app)
    stranger, admin = app.test_client(), app.test_client()
    use_link(admin, f"/admin/sign-in/{app.extensions['services'].admin.new_link_token()}")
    found = answers(stranger, address, "/admin/sign-in"), answers(admin, address, "/admin/")
    assert found == ANSWERS[address]


def test_the_table_has_every_address(app: Flask) -> None:
    """An admin's page that nobody wrote into the table above is found here."""
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(("/admin", "/oauth"))}
    matching = app.url_map.bind("localhost")
    known = set()
    for address in ANSWERS:
        path = address.partition("?")[0]
        for method in matching.allowed_methods(path):
            rule, _ = matching.match(path, method, return_rule=True)
            known.add(rule.rule)
    assert rules == known


PAGES = {"/admin/": "Overview", "/admin/signups/": "Refused", "/admin/suspected/": "Suspected"}
PAGES |= {"/admin/forms/": "Forms"}
LINK = re.compile(r'<a href="([^"]+)"(?: aria-current="([^"]+)")?>([^<]+)</a>')


@pytest.mark.parametrize(
    ("shown", "marked", "mark"),
    [
        *((page, page, "page") for page in PAGES),
        ("/admin/forms/new", "/admin/forms/", "true"),
        ("/admin/suspected/delete-all?reason=honeypot", "/admin/suspected/", "true"),
        ("/oauth/callback", None, None),
    ],
)
def test_the_navigation_links_to_every_page(
    admin: FlaskClient, shown: str, marked: str | None, mark: str | None
) -> None:
    """Every page links to all, says which of them it is or belongs to, and has the button to sign out."""
    page = admin.get(shown, headers={"Accept": "text/html"}).text
    navigation = re.search(r"<nav.*?</nav>", page, re.DOTALL)
    assert navigation is not None
    found = LINK.findall(navigation[0])
    assert [(address, label) for address, _, label in found] == list(PAGES.items())
    assert {address: current for address, current, _ in found if current} == (
        {marked: mark} if marked else {}
    )
    assert 'action="/admin/sign-out"' in page
    assert page.index('href="#content"') < page.index("<nav") < page.index('<main id="content"')


@pytest.mark.parametrize("path", ["/admin/sign-in", "/admin/sign-in/forged", "/", "/thank-you"])
def test_pages_for_strangers_have_no_navigation(client: FlaskClient, path: str) -> None:
    """No links to pages that are closed to them, no button to sign out, none of those pages' scripts."""
    page = client.get(path).text
    for part in ("<nav", "sign-out", "<script"):
        assert part not in page
