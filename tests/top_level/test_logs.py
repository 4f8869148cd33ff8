"""What reaches the log, and what never does."""

import json
import logging
import re
import sys
import threading
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


class SlowError:
    """A standard error whose first line takes until it is let go."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.busy, self.go_on = threading.Event(), threading.Event()

    def write(self, text: str) -> None:
        self.busy.set()
        assert self.go_on.wait(10)
        self.written.append(text)


def test_a_thread_leaves_its_line_to_the_one_that_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow log holds up one thread, not all; each line is written, in order."""
    slow = SlowError()
    monkeypatch.setattr(sys, "stderr", slow)
    log = structlog.get_logger("x")
    first = threading.Thread(target=log.info, args=("one",))
    first.start()
    assert slow.busy.wait(10)
    log.info("two")  # returns although nothing can be written
    log.info("three")
    assert slow.written == []
    slow.go_on.set()
    first.join(10)
    lines = "".join(slow.written).splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["one", "two", "three"]


def test_lines_of_many_threads_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """None is lost, torn or written twice, whoever writes it."""
    log = structlog.get_logger("x")

    def tell(name: int) -> None:
        for number in range(200):
            log.info("event", name=name, number=number)

    threads = [threading.Thread(target=tell, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert sorted((line["name"], line["number"]) for line in lines) == [
        (name, number) for name in range(8) for number in range(200)
    ]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("closed file")])
def test_a_log_that_cannot_be_written_fails_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever was thanked for a sign-up must not read of an error because the log's disk is full."""

    class Full:
        def write(self, _text: str) -> None:
            raise error

    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", Full())
        structlog.get_logger("x").info("one")
    structlog.get_logger("x").info("two")
    assert last_line(capsys)["event"] == "two"


@pytest.mark.parametrize("mine", [True, False], ids=["ours", "a library's"])
@pytest.mark.parametrize(
    "bad", ["\x1b[31m", "\x9b31m", "\x00", "\x7f", "\x85", "\u202e", "\u2028", "a\nb", "\r"]
)
def test_a_development_log_steers_no_terminal(
    bad: str, mine: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a stranger sent is shown as an escape, and begins no line of its own."""
    logs.configure(production=False)
    if mine:
        structlog.get_logger("x").warning(f"event {bad}", path=bad, more=f"with blanks {bad}")
    else:
        logging.getLogger("third.party").warning("said %s", bad)
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", written)
    assert "\\" in written


def test_a_traceback_in_a_development_log_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing else of what it repeats."""
    logs.configure(production=False)
    try:
        raise ValueError("a\x1b[31mb")  # noqa: TRY301 - the traceback is meant
    except ValueError:
        logging.getLogger("third.party").exception("broke")
    written = capsys.readouterr().err
    assert written.count("\n") > 2
    assert "\x1b" not in written


def test_a_long_value_does_not_fill_the_disk(capsys: pytest.CaptureFixture[str]) -> None:
    """One line has its length."""
    structlog.get_logger("x").warning("event", detail="x" * 1_000_000)
    assert len(capsys.readouterr().err) < 30_000
