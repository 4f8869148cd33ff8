"""GET / and GET /thank-you."""

from __future__ import annotations

from pathlib import Path

from flask.testing import FlaskClient


def test_home_needs_nothing(client: FlaskClient, tmp_path: Path) -> None:
    """The page that hosts probe answers 200 without session or database."""
    answer = client.get("/")
    assert answer.status_code == 200
    assert "<h1>Subscriber Sync</h1>" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert list(tmp_path.glob("*.db*")) == []


def test_thank_you_tells_subscribed(client: FlaskClient) -> None:
    """Without a status the visitor reads that they are subscribed."""
    assert "You are subscribed" in client.get("/thank-you").text


def test_thank_you_tells_queued(client: FlaskClient) -> None:
    """While the delivery waits, the page does not claim more than is true."""
    page = client.get("/thank-you?status=queued").text
    assert "safely on record and will arrive shortly" in page
    assert "You are subscribed" not in page


def test_thank_you_shows_nothing_from_its_address(client: FlaskClient) -> None:
    """No personal data or text of strangers gets on the page by its address."""
    assert "mallory" not in client.get("/thank-you?status=mallory&email=mallory@example.org").text
