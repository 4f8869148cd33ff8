"""GET /signups/<id>."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import BY_KEY, SITE


def test_a_stranger_sees_that_it_was_received(client: FlaskClient, list_id: str) -> None:
    """A stranger sees nothing else; a wrong key is refused."""
    body = {"email": "ada@example.org", "first_name": "Adalbertine", "list_id": list_id}
    signup_id = client.post("/subscribe", json=body).get_json()["id"]
    answer = client.get(f"/signups/{signup_id}", headers={"Origin": SITE})
    assert (answer.status_code, answer.get_json()) == (200, {"id": signup_id, "status": "received"})
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    wrong = client.get(f"/signups/{signup_id}", headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401


def test_the_holder_of_a_key_sees_how_it_stands(client: FlaskClient, list_id: str) -> None:
    """The answer has exactly the promised keys, and no personal data."""
    body = {"email": "ada@example.org", "first_name": "Adalbertine", "list_id": list_id}
    signup_id = client.post("/subscribe", json=body).get_json()["id"]
    answer = client.get(f"/signups/{signup_id}", headers={"Origin": SITE, **BY_KEY})
    assert answer.status_code == 200
    assert set(answer.get_json()) == {
        "id",
        "status",
        "attempts",
        "last_error",
        "next_attempt_at",
        "contact_id",
    }
    assert "ada@" not in answer.text
    assert "Adalbertine" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize("path", ["/signups/x", "/signups/%00", "/signups/%ff"])
def test_what_is_no_id_is_404(client: FlaskClient, path: str, tmp_path: Path) -> None:
    """A text that is no id does not reach the database, which refuses some texts."""
    assert client.get(path).status_code == 404
    assert list(tmp_path.glob("*.db*")) == []


def test_an_unknown_id_is_404(client: FlaskClient) -> None:
    """The answer has CORS headers, so that the site's script can read it."""
    answer = client.get("/signups/01890000-0000-7000-8000-000000000000", headers={"Origin": SITE})
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
