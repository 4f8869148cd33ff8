"""GET /health."""

from __future__ import annotations

import shutil
from pathlib import Path

from flask.testing import FlaskClient

from tests.web.conftest import MakeApp

KEYS = {"status", "connection", "pending", "oldest_pending_seconds", "problems", "version"}


def test_all_well(connected: FlaskClient) -> None:
    """A connected service without backlog is ok, with exactly the promised keys."""
    answer = connected.get("/health")
    assert answer.status_code == 200
    document = answer.get_json()
    assert set(document) == KEYS
    assert (document["status"], document["connection"], document["problems"]) == ("ok", "connected", [])
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_missing_connection_is_no_reason_to_restart(client: FlaskClient, list_id: str) -> None:
    """Without a connection sign-ups are still stored: degraded, 200, and no personal data."""
    client.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id})
    answer = client.get("/health")
    assert answer.status_code == 200
    assert (answer.get_json()["status"], answer.get_json()["pending"]) == ("degraded", 1)
    assert "ada@" not in answer.text


def test_only_where_nothing_can_be_stored_is_it_503(make_app: MakeApp, tmp_path: Path) -> None:
    """A dead database alone is no reason to restart, since sign-ups are kept in the spool."""
    (tmp_path / "file").touch()
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db").test_client()
    answer = client.get("/health")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    assert "database cannot be used" in answer.get_json()["problems"][0]
    shutil.rmtree(tmp_path / "spool")
    (tmp_path / "spool").touch()
    answer = client.get("/health")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "unavailable")
    assert set(answer.get_json()) == KEYS
    assert str(tmp_path) not in answer.text
