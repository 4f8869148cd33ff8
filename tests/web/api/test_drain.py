"""POST /internal/drain."""

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import MakeApp, connect, sign_in

TOKEN = "drain-token-0123456789"
BY_TOKEN = {"Authorization": f"Bearer {TOKEN}"}


def test_without_a_token_set_it_does_not_exist(client: FlaskClient) -> None:
    """Without DRAIN_TOKEN the route answers 404, also to an empty token."""
    assert client.post("/internal/drain").status_code == 404
    assert client.post("/internal/drain", headers={"Authorization": "Bearer x"}).status_code == 404


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic x", None])
def test_a_wrong_token_is_401(make_app: MakeApp, header: str | None) -> None:
    """Without the right token nobody can use up the vendor's quota."""
    client = make_app(DRAIN_TOKEN=TOKEN).test_client()
    answer = client.post("/internal/drain", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_it_delivers_and_counts(make_app: MakeApp, list_id: str) -> None:
    """What waits is delivered, and the answer counts it."""
    browser = make_app(DRAIN_TOKEN=TOKEN).test_client()
    sign_in(browser)
    connect(browser)
    browser.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id})
    answer = browser.post("/internal/drain", headers=BY_TOKEN)
    assert answer.status_code == 200
    assert answer.get_json() == {"delivered": 1, "postponed": 0, "parked": 0, "pending": 0}


def test_it_counts_sign_ups_and_not_calls(make_app: MakeApp, list_id: str) -> None:
    """Two of one person go in one call, and both are delivered."""
    browser = make_app(DRAIN_TOKEN=TOKEN).test_client()
    sign_in(browser)
    connect(browser)
    for name in ("ada", "bob", "ada"):
        browser.post("/subscribe", json={"email": f"{name}@example.org", "list_id": list_id})
    answer = browser.post("/internal/drain", headers=BY_TOKEN)
    assert answer.get_json() == {"delivered": 3, "postponed": 0, "parked": 0, "pending": 0}
    calls = browser.get("/sandbox/_sandbox/requests").get_json()["requests"]
    assert len([call for call in calls if call["path"].endswith("/sign_up_form")]) == 2
