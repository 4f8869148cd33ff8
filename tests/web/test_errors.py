"""Error answers, for programs and for people."""

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from tests.web.conftest import Logged

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_programs_get_problem_documents(client: FlaskClient) -> None:
    """RFC 9457: the type, title, status and detail, and its own media type."""
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.get_json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at this address. Check the address for typing errors.",
    }


def test_people_get_pages(client: FlaskClient) -> None:
    """A browser reads what happened and what to do."""
    answer = client.get("/nowhere", headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "<h1>There is nothing at this address.</h1>" in answer.text
    assert "Check the address" in answer.text


def test_who_sends_json_reads_json(client: FlaskClient) -> None:
    """A script in a browser that posts JSON gets JSON, whatever Accept says."""
    answer = client.post("/subscribe", data=b"{", content_type="application/json", headers=BROWSER)
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/subscribe", {"POST", "OPTIONS"}), ("POST", "/health", {"GET", "HEAD", "OPTIONS"})],
)
def test_a_wrong_method_names_the_right_ones(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    """405 always comes with Allow."""
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(("headers", "mimetype"), [({}, "application/problem+json"), (BROWSER, "text/html")])
def test_the_unforeseen_is_logged_and_not_told(
    app: Flask, logged: Logged, headers: dict[str, str], mimetype: str
) -> None:
    """The text and traceback of an unexpected exception are logged; the answer is a plain 500."""

    def broken() -> str:
        raise RuntimeError("the cat is in the bag")

    app.add_url_rule("/broken", view_func=broken)
    answer = app.test_client().get("/broken", headers=headers)
    assert (answer.status_code, answer.mimetype) == (500, mimetype)
    assert "cat is in the bag" not in answer.text
    (event,) = logged.of("unhandled_error")
    assert event["error"] == "RuntimeError"
    assert "in broken" in event["exception"]


def test_a_refusal_without_words_of_its_own(app: Flask) -> None:
    """A rare status is answered in a sentence of ours, never in the exception's."""

    def teapot() -> str:
        abort(418, "internal remark")

    app.add_url_rule("/teapot", view_func=teapot)
    answer = app.test_client().get("/teapot")
    assert answer.status_code == 418
    assert answer.get_json()["detail"].startswith("The request was refused.")
