"""Neither logs nor failures nor reprs show a secret. A real server, so that the HTTP library logs too."""

import json
import logging
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import requests
from structlog.testing import capture_logs

from oauth.authorization_server import AuthorizationServer
from oauth.connecting.connector import Connector
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import OAuthError
from oauth.refresh.rescue_file import RescueFile
from oauth.token_source import TokenSource
from oauth.tokens import TokenPair
from tests.oauth.consent import SCOPES, Account, started
from tests.oauth.on_file import AttemptsOnFile, ConnectionsOnFile
from tests.oauth.vendor import DAY, START, Clock

# Not in the call itself: a traceback quotes the line.
CODE = "code-secret"


class Endpoint(BaseHTTPRequestHandler):
    """Answers ``reply``, with secrets in every field."""

    reply: ClassVar[tuple[int, dict[str, object]]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(self.reply[1]).encode()
        self.send_response(self.reply[0])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def pair(number: int) -> dict[str, object]:
    return {
        "token_type": "Bearer",
        "access_token": f"access-secret-{number}",
        "refresh_token": f"refresh-secret-{number}",
        "expires_in": 86400,
    }


def parts(root: object) -> list[object]:
    """Every object of ours that can be reached from ``root``, in attributes and containers."""
    found: dict[int, object] = {}
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if id(part) in found or not type(part).__module__.startswith("oauth."):
            continue
        found[id(part)] = part
        waiting += vars(part).values()
    return list(found.values())


@pytest.mark.parametrize(
    "reply",
    [
        (200, pair(2)),
        (200, {"access_token": "half-secret", "token_type": "MAC"}),
        (400, {"error": "invalid_grant", "error_description": "refresh-secret-0 is dead"}),
        (400, {"error": "stale refresh-secret-0"}),
        (401, {"errorCode": "invalid_client", "errorSummary": "client-secret is wrong"}),
        (503, {"error": "secret"}),
    ],
)
@pytest.mark.parametrize("broken", [set(), {"store_refreshed"}])
def test_no_secret_leaves_by_log_failure_or_repr(
    address: str,
    connections: ConnectionsOnFile,
    attempts: AttemptsOnFile,
    cipher: TokenCipher,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    reply: tuple[int, dict[str, object]],
    *,
    broken: set[str],
    tmp_path: Path,
) -> None:
    """Everything at DEBUG, over connecting, refreshing and failing."""
    caplog.set_level(logging.DEBUG)
    # An app made by an earlier test has quietened it.
    caplog.set_level(logging.DEBUG, logger="urllib3")
    Endpoint.reply = reply
    seen: list[object] = []
    with capture_logs() as events, requests.Session() as session:
        server = AuthorizationServer(
            session, base_url=address, client_id="client-id", client_secret="client-secret"
        )
        rescue = RescueFile(tmp_path / "rescue", cipher)
        source = TokenSource(
            OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait), rescue=rescue
        )
        connector = Connector(
            OAuthContext(connections, server, cipher, clock=clock),
            attempts,
            lambda _: Account(),
            scopes=SCOPES,
            pkce=True,
            on_connected=source.forget,
        )
        state = started(connector)
        for call in (
            lambda: connector.finish(browser="browser", state=state, code=CODE, error=None),
            lambda: setattr(clock, "now", START + 2 * DAY),
            source.current,
        ):
            connections.broken = broken
            try:
                call()
            except OAuthError as failure:
                seen += [str(failure), repr(failure), "".join(traceback.format_exception(failure))]
        reached = parts(source) + parts(connector)
        seen += [*reached, connections.row, attempts.open(), events, caplog.text]
        seen += [path.read_text() for path in tmp_path.iterdir()]
    issued = reply[0] == 200 and "refresh_token" in reply[1]
    held = [part for part in reached if isinstance(part, TokenPair)]
    assert len(held) == (issued and bool(broken)), "the pair that the connections refused is held"
    assert len(list(tmp_path.iterdir())) == len(held), "and in the rescue file"
    assert "POST /token" in caplog.text, "the HTTP library must have logged"
    text = repr(seen)
    for secret in ("access-secret", "refresh-secret", CODE, "half-secret", "client-secret", state):
        assert secret not in text
