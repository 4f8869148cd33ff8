"""GET /health."""

import shutil
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import BY_KEY, MakeApp, sign_in
from tests.web.security.test_host import PRODUCTION

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


def migrate(app: Flask) -> None:
    """Migrate now; on a busy machine the first request could take longer than /health waits."""
    app.extensions["parts"].database.prepare()


def waiting_and_problems(client: FlaskClient, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Return how many sign-ups wait, and all problems in one text."""
    document = client.get("/health", headers=headers).get_json()
    assert set(document) == KEYS
    return document["pending"], " ".join(document["problems"])


def test_a_suspected_sign_up_looks_like_one_that_waits(client: FlaskClient, list_id: str) -> None:
    """Strangers see it counted as waiting; an API key's holder and an admin see the true count."""
    body = {"email": "ada@example.org", "list_id": list_id}
    for number, trap in enumerate(({}, {"website": "x"}, {}, {"website": "x"}), start=1):
        client.post("/subscribe", json=body | trap)
        assert waiting_and_problems(client)[0] == number
    assert waiting_and_problems(client, BY_KEY)[0] == 2
    sign_in(client)
    assert waiting_and_problems(client)[0] == 2


def test_a_refused_sign_up_is_no_strangers_business(connected: FlaskClient, list_id: str) -> None:
    """Its sender could learn that it was believed, and that Constant Contact blocks the address."""
    refusal = [{"error_key": "contacts.api.validation.error", "error_message": "Not welcome."}]
    fault = {"status": 400, "body": refusal}
    match = {"path": "/v3/contacts/sign_up_form"}
    connected.post("/sandbox/_sandbox/faults", json={"match": match, "times": None, "fault": fault})
    stranger = connected.application.test_client()
    stranger.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id})
    connected.application.extensions["services"].delivery.drain(5)
    assert waiting_and_problems(stranger) == (1, "")
    assert stranger.get("/health").get_json()["status"] == "ok"
    for client, headers in ((stranger, BY_KEY), (connected, None)):
        assert "put aside and wait for a person: 1" in waiting_and_problems(client, headers)[1]


def test_a_weakness_is_told_to_holders_of_a_key_only(make_app: MakeApp) -> None:
    """Strangers learn that something needs an admin, and where an admin reads what."""
    app = make_app(**PRODUCTION)
    migrate(app)
    stranger = app.test_client()
    assert "PUBLIC_BASE_URL" in waiting_and_problems(stranger, BY_KEY)[1]
    problems = waiting_and_problems(stranger)[1]
    assert "Something needs an admin" in problems
    assert "PUBLIC_BASE_URL" not in problems


def test_a_wrong_key_is_a_strangers(client: FlaskClient) -> None:
    """A health check with an old key must not take the service for down."""
    migrate(client.application)
    answer = client.get("/health", headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, set(answer.get_json())) == (200, KEYS)


@pytest.mark.parametrize("headers", [{}, BY_KEY], ids=["stranger", "key"])
def test_who_asks_strictly_hears_503_whenever_not_all_is_well(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    """The document is the same; another value of `strict` changes nothing."""
    migrate(client.application)
    for query, status in (("?strict=1", 503), ("?strict=0", 200), ("", 200)):
        answer = client.get(f"/health{query}", headers=headers)
        assert (answer.status_code, answer.get_json()["status"]) == (status, "degraded")


def test_strictly_well_is_200(connected: FlaskClient) -> None:
    """With strict=1 the answer is 200 when nothing needs attention."""
    answer = connected.get("/health?strict=1")
    assert (answer.status_code, answer.get_json()["problems"]) == (200, [])


def test_an_admin_is_answered_while_the_database_is_away(make_app: MakeApp, tmp_path: Path) -> None:
    """Whether the session was signed out cannot be read; that is no reason for a 503."""
    browser = make_app().test_client()
    sign_in(browser)
    cookie = browser.get_cookie("subscriber_sync")
    assert cookie is not None
    (tmp_path / "file").touch()
    away = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db").test_client()
    away.set_cookie("subscriber_sync", cookie.value)
    answer = away.get("/health")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
