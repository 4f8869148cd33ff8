"""GET /metrics."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import API_KEY, MakeApp

BY_KEY = {"Authorization": f"Bearer {API_KEY}"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_strangers_get_401(client: FlaskClient, headers: dict[str, str]) -> None:
    """Without one of the keys there is not a single figure."""
    answer = client.get("/metrics", headers=headers)
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "subscriber_sync" not in answer.text


def test_an_admins_session_is_no_key(admin: FlaskClient) -> None:
    """/metrics answers a browser of an admin with 401 like anybody."""
    assert admin.get("/metrics").status_code == 401


def test_a_key_reads_the_figures(connected: FlaskClient, list_id: str) -> None:
    """The answer is Prometheus text of this moment, without personal data."""
    connected.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id})
    answer = connected.get("/metrics", headers=BY_KEY)
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    lines = answer.text.splitlines()
    for line in (
        "subscriber_sync_up 1.0",
        'subscriber_sync_connection_state{state="connected"} 1.0',
        "subscriber_sync_pending 1.0",
    ):
        assert line in lines
    assert "ada@" not in answer.text
    # The library's own figures tell of one process among several.
    assert all(line.startswith(("subscriber_sync_", "# ")) for line in lines)


def test_a_scraper_may_ask_for_openmetrics(client: FlaskClient) -> None:
    """The Accept header decides, as Prometheus sends it."""
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
    answer = client.get("/metrics", headers=BY_KEY | accept)
    assert answer.content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")


def test_every_process_tells_the_same(make_app: MakeApp, connected: FlaskClient, list_id: str) -> None:
    """Another process over the same database shows the same values."""
    connected.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id})
    other = make_app().test_client().get("/metrics", headers=BY_KEY)
    assert "subscriber_sync_pending 1.0" in other.text.splitlines()


def test_a_dead_database_is_a_figure_too(make_app: MakeApp, tmp_path: Path) -> None:
    """A failed scrape would look like a dead host; the answer is 200 with a gauge for it."""
    (tmp_path / "file").touch()
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db").test_client()
    answer = client.get("/metrics", headers=BY_KEY)
    assert answer.status_code == 200
    assert "subscriber_sync_up 0.0" in answer.text.splitlines()
    assert str(tmp_path) not in answer.text
