"""GET /lists."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from store.quota.ledger import QuotaLedger
from tests.web.conftest import API_KEY

BY_KEY = {"Authorization": f"Bearer {API_KEY}"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_strangers_get_401_and_no_redirect(client: FlaskClient, headers: dict[str, str]) -> None:
    """A program must not end on a sign-in page with status 200."""
    answer = client.get("/lists", headers=headers)
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_admin_and_a_key_see_the_lists(connected: FlaskClient, client: FlaskClient, list_id: str) -> None:
    """Both get the same document with exactly the promised keys."""
    by_admin, by_key = connected.get("/lists"), client.get("/lists", headers=BY_KEY)
    assert by_admin.status_code == by_key.status_code == 200
    document = by_key.get_json()
    assert document == by_admin.get_json()
    assert set(document) == {"lists", "fetched_at", "stale"}
    assert set(document["lists"][0]) == {"list_id", "name", "description", "favorite", "membership_count"}
    assert list_id in [entry["list_id"] for entry in document["lists"]]
    assert document["stale"] is False


def test_a_repeat_after_a_401_counts_against_the_budget(app: Flask, connected: FlaskClient) -> None:
    """The vendor counts both calls: one page of lists that is refused once takes two of the quota."""
    quota = QuotaLedger(app.extensions["parts"].database)
    before = quota.read().used
    fault = {"match": {"path": "/v3/contact_lists"}, "times": 1, "fault": {"status": 401, "body": {}}}
    assert connected.post("/sandbox/_sandbox/faults", json=fault).status_code == 201
    assert connected.get("/lists?refresh=1").get_json()["stale"] is False
    assert quota.read().used == before + 2


def test_refresh_asks_again_and_survives_the_vendors_absence(connected: FlaskClient) -> None:
    """Only ?refresh=1 makes a call, and when that fails the known lists are served, marked stale."""

    def calls() -> int:
        requests: Any = connected.get("/sandbox/_sandbox/requests").get_json()["requests"]
        return sum(call["path"].endswith("/contact_lists") for call in requests)

    connected.get("/lists")
    before = calls()
    connected.get("/lists")
    assert calls() == before
    assert connected.get("/lists?refresh=1").get_json()["stale"] is False
    assert calls() == before + 1
    fault = {"match": {"path": "/v3/contact_lists"}, "times": None, "fault": {"status": 503, "body": {}}}
    assert connected.post("/sandbox/_sandbox/faults", json=fault).status_code == 201
    answer = connected.get("/lists?refresh=1")
    assert (answer.status_code, answer.get_json()["stale"]) == (200, True)


def test_before_the_first_fetch_it_is_503(client: FlaskClient) -> None:
    """Without any lists to serve the answer says so and when to come back."""
    answer = client.get("/lists", headers=BY_KEY)
    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"
    assert "Retry-After" in answer.headers
