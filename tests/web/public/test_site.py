"""GET / and GET /thank-you."""

from pathlib import Path

from flask.testing import FlaskClient

from tests.web.conftest import THANKS


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
    assert THANKS in page
    assert client.get("/thank-you?status=queued").text == page


def test_thank_you_shows_nothing_from_its_address(client: FlaskClient) -> None:
    """No personal data or text of strangers gets on the page by its address."""
    assert "mallory" not in client.get("/thank-you?status=mallory&email=mallory@example.org").text
