"""Keys that are sent where other services read theirs, and pages without an origin of their own."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import API_KEY, BROWSER, BY_KEY, CONFIRM, SITE

POST = {"email": "ada@example.org"}
NO_ORIGIN = {"Origin": "null"}
ALLOW = "Access-Control-Allow-Origin"


def stored(app: Flask) -> int:
    with app.extensions["parts"].database.reading() as connection:
        found: int = connection.exec_driver_sql("SELECT count(*) FROM signups").scalar_one()
    return found


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"X-Api-Key": API_KEY}),
        ("", {"api-key": API_KEY}),
        ("", {"X-APIKEY": API_KEY}),
        ("", {"X-Auth-Token": API_KEY}),
        (f"?api_key={API_KEY}", {}),
        (f"?apikey={API_KEY}", {}),
        (f"?apiKey={API_KEY}", {}),
        (f"?access_token={API_KEY}", {}),
        ("", {"Authorization": API_KEY}),
        ("", {"Authorization": f"Token {API_KEY}"}),
        ("", {"Authorization": f"Basic {API_KEY}"}),
        ("", {"Authorization": "Bearer "}),
    ],
)
def test_a_misplaced_key_is_told_its_place(
    app: Flask, client: FlaskClient, list_id: str, query: str, headers: dict[str, str]
) -> None:
    """Taken for a stranger's, the sign-up would have other rights than its sender believes."""
    for answer in (
        client.post(f"/subscribe{query}", json=POST | {"list_id": list_id}, headers=headers),
        client.get(f"/lists{query}", headers=headers),
        client.get(f"/metrics{query}", headers=headers),
    ):
        assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
        assert 'Send the key as "Authorization: Bearer <key>"' in answer.get_json()["detail"]
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert API_KEY not in answer.text
    assert stored(app) == 0


def test_a_key_in_its_place_counts_whatever_else_is_sent(client: FlaskClient) -> None:
    """Some programs send the key in every way they know."""
    assert client.get("/signups/x?api_key=y", headers=BY_KEY | {"X-Api-Key": "x"}).status_code == 404
    assert client.get("/metrics?api_key=y", headers=BY_KEY | {"X-Api-Key": "x"}).status_code == 200


def test_a_probe_is_answered_all_the_same(client: FlaskClient) -> None:
    """A health check would take a 401 for a service that is down."""
    assert client.get("/health", headers={"X-Api-Key": API_KEY}).status_code == 200


@pytest.mark.parametrize("kind", ["json", "data"])
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_a_script_without_an_origin_is_told_why(
    app: Flask, client: FlaskClient, list_id: str, kind: str, accept: str
) -> None:
    """It gets a 403 that it can read; nothing is stored."""
    sent: dict[str, Any] = {kind: POST | {"list_id": list_id}, "headers": NO_ORIGIN | {"Accept": accept}}
    answer = client.post("/subscribe", **sent)
    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert "no origin of its own" in answer.get_json()["detail"]
    assert "web server" in answer.get_json()["detail"]
    assert answer.headers[ALLOW] == "null"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert stored(app) == 0


@pytest.mark.parametrize(
    "path", ["/forms/spring-news.json", "/signups/01890000-0000-7000-8000-000000000000", "/Forms/x/token/"]
)
def test_so_are_the_other_calls_of_scripts(client: FlaskClient, path: str) -> None:
    """The one line fetches the form's description first."""
    answer = client.get(path, headers=NO_ORIGIN)
    assert (answer.status_code, answer.headers[ALLOW]) == (403, "null")


def test_its_preflight_is_granted(client: FlaskClient) -> None:
    """Otherwise the script could not read the 403."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = client.options("/subscribe", headers=NO_ORIGIN | asked)
    assert (answer.status_code, answer.headers[ALLOW]) == (200, "null")
    assert answer.headers["Access-Control-Allow-Headers"] == "content-type"


def test_a_form_that_a_browser_sends_is_taken(app: Flask, client: FlaskClient, list_id: str) -> None:
    """A form from a file or a sandboxed frame is accepted; no script can read the page that follows."""
    answer = client.post(
        "/subscribe", data=POST | {"list_id": list_id}, headers=NO_ORIGIN | {"Accept": BROWSER}
    )
    assert (answer.status_code, answer.location) == (303, "/thank-you")
    assert ALLOW not in answer.headers
    assert CONFIRM in client.get(answer.location).text
    assert stored(app) == 1


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_script_that_cannot_read_an_answer_is_not_refused(
    app: Flask, client: FlaskClient, list_id: str, kind: str
) -> None:
    """With mode: "no-cors" or sendBeacon nobody would learn of the 403, and the sign-up would be lost."""
    headers = NO_ORIGIN | {"Accept": "*/*", "Sec-Fetch-Mode": "no-cors"}
    answer = client.post("/subscribe", data=POST | {"list_id": list_id}, content_type=kind, headers=headers)
    assert answer.status_code == 202
    assert ALLOW not in answer.headers
    assert stored(app) == 1


def test_a_script_without_an_origin_that_wants_html_is_told_in_html(
    app: Flask, client: FlaskClient, list_id: str
) -> None:
    """It could not follow a 303."""
    headers = NO_ORIGIN | {"Accept": "text/html", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}
    answer = client.post("/subscribe", data=POST | {"list_id": list_id}, headers=headers)
    assert (answer.status_code, answer.mimetype, answer.headers[ALLOW]) == (403, "text/html", "null")
    assert "no origin of its own" in answer.text
    assert stored(app) == 0


def test_a_key_is_worth_an_origin(app: Flask, client: FlaskClient, list_id: str) -> None:
    """An API key makes up for the opaque origin; a wrong key is refused as such."""
    sent = POST | {"list_id": list_id}
    answer = client.post("/subscribe", json=sent, headers=NO_ORIGIN | BY_KEY)
    assert (answer.status_code, answer.headers[ALLOW]) == (202, "null")
    wrong = client.post("/subscribe", json=sent, headers=NO_ORIGIN | {"Authorization": "Bearer wrong"})
    assert (wrong.status_code, wrong.headers[ALLOW]) == (401, "null")
    assert stored(app) == 1


@pytest.mark.parametrize("path", ["/", "/lists", "/health", "/admin/", "/thank-you"])
def test_nothing_else_is_readable_without_an_origin(client: FlaskClient, path: str) -> None:
    """No other route answers an opaque origin with CORS headers."""
    assert ALLOW not in client.get(path, headers=NO_ORIGIN).headers


def test_a_known_site_is_answered_as_before(client: FlaskClient, list_id: str) -> None:
    """The refusal concerns opaque origins only."""
    answer = client.post("/subscribe", json=POST | {"list_id": list_id}, headers={"Origin": SITE})
    assert (answer.status_code, answer.headers[ALLOW]) == (202, SITE)
