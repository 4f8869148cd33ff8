"""Who gets a page, who gets JSON and who gets a piece of a page."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import BROWSER, SITE, THANKS
from tests.web.forms import make

POST = {"email": "ada@example.org"}
HTMX = {"HX-Request": "true", "HX-Current-URL": "https://www.example.org/", "Accept": "*/*"}
SCRIPT = {"Sec-Fetch-Mode": "cors"}


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "",
        "application/json, text/plain, */*",
        "application/json, text/javascript, */*; q=0.01",
        "text/html;q=0, */*",
        "application/xhtml+xml",
        "text/*",
        "application/json, text/html;q=0.9",
    ],
    ids=["fetch and curl", "nothing", "axios", "jQuery", "no page", "XHTML", "any text", "JSON first"],
)
@pytest.mark.parametrize("multipart", [False, True])
def test_whoever_does_not_name_a_page_gets_json(
    client: FlaskClient, list_id: str, accept: str, multipart: bool
) -> None:
    """A form's content type alone is no browser: FormData and jQuery's serialize() send the same."""
    kind = "multipart/form-data" if multipart else "application/x-www-form-urlencoded"
    options: dict[str, Any] = {"content_type": kind, "headers": {"Accept": accept, "Origin": SITE}}
    taken = client.post("/subscribe", data=POST | {"list_id": list_id}, **options)
    assert taken.status_code == 202
    assert taken.get_json()["status"] == "received"
    refused = client.post("/subscribe", data={"email": "ada"}, **options)
    assert (refused.status_code, refused.mimetype) == (422, "application/problem+json")
    assert refused.headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize(
    "accept", [BROWSER, "text/html", "TEXT/HTML", "text/html;q=0.9,application/json;q=0.9"]
)
def test_who_names_a_page_gets_one(client: FlaskClient, list_id: str, accept: str) -> None:
    """As every browser does that sends a form."""
    headers = {"Accept": accept}
    assert client.post("/subscribe", data=POST | {"list_id": list_id}, headers=headers).status_code == 303
    assert client.post("/subscribe", data={"email": "ada"}, headers=headers).mimetype == "text/html"


def test_json_is_answered_in_json(client: FlaskClient, list_id: str) -> None:
    """Whatever else is accepted."""
    answer = client.post("/subscribe", json=POST | {"list_id": list_id}, headers={"Accept": BROWSER})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("path", "status"), [("/signups/01890000-0000-7000-8000-000000000000", 404), ("/forms/none", 404)]
)
def test_other_refusals_follow_the_same_rule(client: FlaskClient, path: str, status: int) -> None:
    """Whoever accepts anything gets a problem document, a browser a page."""
    problem = client.get(path, headers={"Accept": "*/*"})
    assert (problem.status_code, problem.mimetype) == (status, "application/problem+json")
    assert client.get(path, headers={"Accept": BROWSER}).mimetype == "text/html"


@pytest.mark.parametrize("kind", ["data", "json"])
def test_htmx_gets_a_piece_of_a_page(client: FlaskClient, list_id: str, kind: str) -> None:
    """Thanks and mistakes alike; by the status, since a 2xx means that the sign-up is on disk."""
    options: dict[str, Any] = {kind: POST | {"list_id": list_id}, "headers": HTMX}
    thanks = client.post("/subscribe", **options)
    assert (thanks.status_code, thanks.mimetype) == (202, "text/html")
    assert thanks.text.strip() == f'<p role="status">{THANKS}</p>'
    options[kind] = {"email": "ada"}
    mistakes = client.post("/subscribe", **options)
    assert (mistakes.status_code, mistakes.mimetype) == (422, "text/html")
    assert "<html" not in mistakes.text
    assert 'role="alert"' in mistakes.text


def test_htmx_is_sent_to_the_forms_own_thanks(app: Flask, client: FlaskClient) -> None:
    """By the header that htmx reads, which a script of another site may see."""
    make(app, thank_you_url="https://thanks.example.com/")
    said = {"form": "spring-news", "first_name": "Ada", "consent": "Yes, write to me."}
    answer = client.post("/subscribe", data=POST | said, headers=HTMX | {"Origin": SITE})
    assert answer.status_code == 202
    assert answer.headers["HX-Redirect"] == "https://thanks.example.com/"
    assert "HX-Redirect" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("accept", ["text/html, */*; q=0.01", "text/html", BROWSER])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_script_that_wants_html_gets_a_piece(
    app: Flask, client: FlaskClient, accept: str, site: str
) -> None:
    """As jQuery's load() and dataType "html" ask: a script of another origin could not follow a 303."""
    make(app)
    headers = SCRIPT | {"Accept": accept, "Sec-Fetch-Site": site, "Origin": SITE}
    said = {"form": "spring-news", "first_name": "Ada", "consent": "Yes, write to me.", "redirect": SITE}
    thanks = client.post("/subscribe", data=POST | said, headers=headers)
    assert (thanks.status_code, thanks.mimetype) == (202, "text/html")
    assert 'role="status"' in thanks.text
    mistakes = client.post("/subscribe", data={"email": "ada"}, headers=headers)
    assert (mistakes.status_code, mistakes.mimetype) == (422, "text/html")
    assert "<html" not in mistakes.text
    for answer in (thanks, mistakes):
        assert answer.headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize(
    "fetched",
    [
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=["a form", "Turbo on our own address", "a script on our own address"],
)
def test_who_can_follow_to_a_page_is_sent_there(
    client: FlaskClient, list_id: str, fetched: dict[str, str]
) -> None:
    """Turbo even insists on it."""
    headers = {"Accept": BROWSER} | fetched
    answer = client.post("/subscribe", data=POST | {"list_id": list_id}, headers=headers)
    assert (answer.status_code, answer.location) == (303, "/thank-you")


def test_a_script_that_sends_json_still_gets_json(client: FlaskClient, list_id: str) -> None:
    """Whatever it accepts."""
    headers = SCRIPT | {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}
    answer = client.post("/subscribe", json=POST | {"list_id": list_id}, headers=headers)
    assert answer.get_json()["status"] == "received"


@pytest.mark.parametrize(
    "asked",
    [
        "hx-current-url, hx-request, hx-target",
        "x-requested-with",
        "sentry-trace,baggage",
        "traceparent , tracestate",
        "x-wp-nonce, content-type, authorization",
    ],
)
def test_any_headers_may_be_asked_for(client: FlaskClient, asked: str) -> None:
    """No cookie is read here, so nothing is gained by refusing a library its headers."""
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked, "Origin": SITE}
    answer = client.options("/subscribe", headers=ask)
    assert answer.headers["Access-Control-Allow-Headers"] == asked
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Access-Control-Request-Headers" in answer.headers["Vary"]


@pytest.mark.parametrize("asked", ["a b", "a;b", "x" * 2_001, "", ",", "ä"])
def test_what_are_no_header_names_is_not_repeated(client: FlaskClient, asked: str) -> None:
    """Then the usual ones are allowed."""
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked, "Origin": SITE}
    answer = client.options("/subscribe", headers=ask)
    assert answer.headers["Access-Control-Allow-Headers"].startswith("content-type")
