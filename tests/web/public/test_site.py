"""GET / and GET /thank-you."""

import re
from pathlib import Path

from flask.testing import FlaskClient

from tests.web.conftest import CONFIRM
from tests.web.forms import make


def test_home_needs_nothing(client: FlaskClient, tmp_path: Path) -> None:
    """The page that hosts probe answers 200 without session or database."""
    answer = client.get("/")
    assert answer.status_code == 200
    assert "<h1>Subscriber Sync</h1>" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert list(tmp_path.glob("*.db*")) == []


def test_everybody_is_thanked_in_the_same_words(client: FlaskClient) -> None:
    """They claim no more than is true, and nothing in the page's address changes them."""
    page = client.get("/thank-you").text
    assert CONFIRM in page
    assert client.get("/thank-you?status=queued").text == page


def test_thank_you_shows_nothing_from_its_address(client: FlaskClient) -> None:
    """No personal data or text of strangers gets on the page by its address."""
    assert "mallory" not in client.get("/thank-you?status=mallory&email=mallory@example.org").text


def test_visitors_see_whose_page_it_is(connected: FlaskClient, client: FlaskClient) -> None:
    """The form, the form with mistakes and the thanks carry the organisation's name, in the title as well."""
    make(connected.application)
    pages = {
        "Spring newsletter": client.get("/forms/spring-news"),
        "Please check your sign-up": client.post("/subscribe", data={"form": "spring-news", "email": "x"}),
        "Thank you": client.get("/thank-you?form=spring-news"),
    }
    for title, answer in pages.items():
        assert f"<title>{title} · Sandbox Society</title>" in answer.text
        assert re.search(r"<header[^>]*>Sandbox Society</header>", answer.text)
        assert "Set-Cookie" not in answer.headers
    assert "Sandbox Society received your sign-up." in pages["Thank you"].text


def test_before_connecting_visitors_read_no_name(client: FlaskClient) -> None:
    """The pages are whole without one."""
    page = client.get("/thank-you").text
    assert "<title>Thank you</title>" in page
    assert "We received your sign-up." in page
    assert "<header" not in page
