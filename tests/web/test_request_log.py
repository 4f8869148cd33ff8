"""The line that each request leaves in the log."""

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import Logged


def test_one_line_per_request(client: FlaskClient, logged: Logged) -> None:
    """Method, path without the query, status, milliseconds, and the id that the answer tells."""
    answer = client.get("/thank-you?email=ada@example.org")
    (line,) = logged.of("request")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/thank-you", 200)
    assert line["ms"] >= 0
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert "ada@" not in str(line)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/admin/sign-in/token-to-hide", "/admin/sign-in/<token>"),
        ("/signups/token-to-hide", "/signups/…"),
        ("/admin/sign-in/token-to-hide/", "/admin/…"),
        ("/signups/0189a5c3-0000-7000-8000-0000000c0ffe", "/signups/<uuid:signup_id>"),
        ("/signups/token-to-hide/more", "/signups/…"),
    ],
)
def test_ids_and_tokens_stay_out(client: FlaskClient, logged: Logged, path: str, shown: str) -> None:
    """The log shows no id and no token of an address, mistyped or not."""
    client.get(path)
    client.post(path)
    looked, posted = logged.of("request")
    # A route that takes no posts is told like one that is not known.
    assert (looked["path"], posted["path"] in {shown, "/signups/…"}) == (shown, True)
    assert "token-to-hide" not in str(logged.events)
    assert "0189a5c3-0000-7000-8000" not in str(logged.events)


def test_a_callers_id_is_taken_on(client: FlaskClient, logged: Logged) -> None:
    """An id that a request brings in X-Request-Id is kept."""
    answer = client.get("/", headers={"X-Request-Id": "shop-42_a"})
    assert answer.headers["X-Request-Id"] == "shop-42_a"
    assert logged.of("request")[0]["request_id"] == "shop-42_a"


@pytest.mark.parametrize("given", ["", "a b", "a" * 65, "é", "a;b", "a\tb"])
def test_a_strange_id_is_replaced(client: FlaskClient, given: str) -> None:
    """An X-Request-Id with other characters gets neither into the log nor into the answer."""
    taken = client.get("/", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert taken != given
    assert taken.isalnum()


def test_every_event_of_a_request_bears_its_id(client: FlaskClient, logged: Logged, list_id: str) -> None:
    """All log events of one request have its id."""
    body = {"email": "ada@example.org", "list_id": list_id}
    client.post("/subscribe", json=body, headers={"X-Request-Id": "one"})
    assert logged.of("signup_accepted")[0]["request_id"] == "one"
