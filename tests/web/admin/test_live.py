"""The part of the overview that refreshes itself."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import connect
from tests.web.forms import make

BY_HTMX = {"HX-Request": "true"}


def test_the_page_asks_for_it_every_ten_seconds(admin: FlaskClient) -> None:
    """And when its tab is shown again; the page holds the part already, for browsers without JavaScript."""
    page = admin.get("/admin/").text
    assert 'hx-get="/admin/live" hx-trigger="every 10s, visibilitychange from:document"' in page
    assert admin.get("/admin/live").text.strip() in page


def test_it_tells_what_changed(admin: FlaskClient, list_id: str) -> None:
    """State and sign-ups as they are now; nothing of the rest of the page."""
    before = admin.get("/admin/live", headers=BY_HTMX).text
    assert "Something needs your attention" in before
    assert "No sign-ups yet." in before
    connect(admin)
    admin.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id})
    after = admin.get("/admin/live", headers=BY_HTMX).text
    assert "Everything works" in after
    assert "One sign-up is waiting to be delivered." in after
    assert "ada@example.org" in after
    assert "<html" not in after
    assert "Connection history" not in after


def test_it_is_the_same_as_long_as_nothing_changed(connected: FlaskClient, list_id: str) -> None:
    """So the page is left alone: neither a CSRF token nor the time of day is in it."""
    connected.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id})
    connected.application.extensions["services"].delivery.drain(5)
    assert len({connected.get("/admin/live", headers=BY_HTMX).text for _ in range(3)}) == 1


def test_every_link_in_it_can_have_the_focus_back(admin: FlaskClient, list_id: str) -> None:
    """By the id htmx finds what had it."""
    make(admin.application)
    admin.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id, "website": "x"})
    page = admin.get("/admin/live", headers=BY_HTMX).text
    tags = re.findall(r"<(?:a|button|input|summary)\b[^>]*>", page)
    assert tags
    assert [tag for tag in tags if " id=" not in tag] == []


@pytest.mark.parametrize("path", ["/admin/live", "/admin/suspected/"])
def test_after_the_session_the_whole_page_loads_again(client: FlaskClient, path: str) -> None:
    """The sign-in page would otherwise be put into the part."""
    answer = client.get(path, headers=BY_HTMX)
    assert (answer.status_code, answer.headers["HX-Refresh"], answer.text) == (401, "true", "")
    assert client.get(path).status_code == 303


def test_it_counts_what_waits_in_words(admin: FlaskClient, list_id: str) -> None:
    """One, or many."""
    for number, words in ((1, "One is waiting"), (2, "2 are waiting")):
        admin.post("/subscribe", json={"email": f"p{number}@example.org", "list_id": list_id})
        assert words in unescape(admin.get("/admin/live").text)
