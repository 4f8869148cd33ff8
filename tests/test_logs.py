"""What reaches the log, and what never does."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

import logs


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    logs.configure(production=True)
    yield
    structlog.contextvars.clear_contextvars()


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    line: dict[str, object] = json.loads(capsys.readouterr().err.strip().splitlines()[-1])
    return line


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefghijkl",
        "Basic c2FuZGJveDpzZWNyZXQ=",
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl ends",
        "GET /oauth/callback?code=abcdefghijkl&state=mnopqrstuvwx HTTP/1.1",
        "refresh_token=abcdefghijkl&grant_type=refresh_token",
        "client_secret=abcdefghijkl",
    ],
)
def test_secrets_are_hidden_by_their_shape(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever logs a whole header or address by mistake gives nothing away."""
    logging.getLogger("third.party").warning("%s", text)
    written = capsys.readouterr().err
    assert "[hidden]" in written
    for piece in ("abcdefghijkl", "mnopqrstuvwx", "c2FuZGJveDpzZWNyZXQ", "eyJzdWIi"):
        assert piece not in written


def test_secrets_are_hidden_by_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    """A value under a telling name is not written whatever it looks like."""
    structlog.get_logger("x").warning("event", password="hunter2", token="t0ken", code="c0de")
    line = last_line(capsys)
    assert (line["password"], line["token"], line["code"]) == ("[hidden]",) * 3


def test_addresses_are_masked_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a person's address only the first letter and the domain are written, also in tracebacks."""
    try:
        int("ann.lee@example.org")
    except ValueError:
        structlog.get_logger("x").exception("failed", email="bob@example.org")
    line = last_line(capsys)
    assert line["email"] == "b***@example.org"
    assert "a***@example.org" in str(line["exception"])


def test_tracebacks_hold_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """Frames show code lines, never the values in them."""

    def fail(access: str) -> None:
        raise RuntimeError(len(access))

    try:
        fail("a-very-secret-value")
    except RuntimeError:
        structlog.get_logger("x").exception("failed")
    written = capsys.readouterr().err.replace('fail("a-very-secret-value")', "")
    assert "RuntimeError: 19" in written
    assert "a-very-secret-value" not in written.replace('fail(\\"a-very-secret-value\\")', "")


def test_a_line_carries_its_request_and_origin(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, logger and the request's id stand on each line, also those of other libraries."""
    structlog.contextvars.bind_contextvars(request_id="r-1")
    logging.getLogger("other.library").error("trouble")
    line = last_line(capsys)
    assert (line["level"], line["logger"], line["event"], line["request_id"]) == (
        "error",
        "other.library",
        "trouble",
        "r-1",
    )
    assert str(line["timestamp"]).endswith("Z")


def test_chatty_libraries_are_kept_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """The HTTP client's debug lines hold addresses with everything in them."""
    logging.getLogger("urllib3.connectionpool").info("POST /token?x")
    logging.getLogger("werkzeug").info("GET /oauth2/authorize?state=x")
    assert capsys.readouterr().err == ""
