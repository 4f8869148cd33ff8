"""The transport to a WSGI application in this process."""

from collections.abc import Iterable

import pytest
import requests
from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

from transport.in_process import InProcessAdapter


class Dropped(Exception):
    """The stand-in for a cut connection."""


@pytest.fixture
def session() -> Iterable[requests.Session]:
    app = Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.route("/echo", methods=["GET", "POST"])
    def echo() -> ResponseReturnValue:
        return {
            "query": request.args.to_dict(),
            "form": request.form.to_dict(),
            "json": request.get_json(silent=True),
            "authorization": request.headers.get("Authorization"),
        }, 201

    @app.get("/drop")
    def drop() -> ResponseReturnValue:
        raise Dropped

    @app.get("/twice")
    def twice() -> ResponseReturnValue:
        return Response("no", 302, {"Location": "/echo", "X-Token": "1"})

    with requests.Session() as session:
        session.mount("http://inside.invalid", InProcessAdapter(app, dropped=Dropped))
        yield session


def test_a_request_arrives_whole(session: requests.Session) -> None:
    """Query, JSON body, form and headers arrive; status and JSON come back."""
    answer = session.post(
        "http://inside.invalid/echo?a=b", json={"x": [1]}, headers={"Authorization": "Bearer t"}
    )
    assert answer.status_code == 201
    assert answer.json() == {"query": {"a": "b"}, "form": {}, "json": {"x": [1]}, "authorization": "Bearer t"}
    assert session.post("http://inside.invalid/echo", data={"p": "q"}).json()["form"] == {"p": "q"}


def test_a_request_departs_when_it_is_told_to() -> None:
    """A departure that raises keeps it from the application."""

    class Stay(Exception):
        """Refuse to depart."""

    def stay() -> None:
        raise Stay

    with requests.Session() as session:
        session.mount(
            "http://inside.invalid", InProcessAdapter(Flask(__name__), dropped=Dropped, depart=stay)
        )
        with pytest.raises(Stay):
            session.get("http://inside.invalid/")


def test_a_cut_connection_is_a_connection_error(session: requests.Session) -> None:
    """The client sees what it would see of a real server."""
    with pytest.raises(requests.ConnectionError):
        session.get("http://inside.invalid/drop")


def test_a_streamed_body_can_be_read_in_pieces(session: requests.Session) -> None:
    """The token client reads byte by byte under a limit."""
    with session.get("http://inside.invalid/echo", stream=True) as answer:
        assert b"".join(answer.iter_content(1)).startswith(b"{")


def test_redirects_are_not_followed_unasked(session: requests.Session) -> None:
    """Headers and status of a redirect come back as they are."""
    answer = session.get("http://inside.invalid/twice", allow_redirects=False)
    assert (answer.status_code, answer.headers["X-Token"]) == (302, "1")
