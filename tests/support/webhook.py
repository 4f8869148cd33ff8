"""A server that takes webhooks, and verifies them as the libraries of Standard Webhooks do."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


@dataclass
class Received:
    """What arrived, and how it is answered."""

    status: int = 204
    location: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def verified(self, index: int) -> dict[str, Any]:
        """Return a body after its signature was found right, written down from the specification."""
        headers, body = self.headers[index], self.bodies[index]
        signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        version, _, given = headers["webhook-signature"].partition(",")
        assert version == "v1"
        assert hmac.compare_digest(given, expected)
        found: dict[str, Any] = json.loads(body)
        return found


@contextmanager
def webhook_server(received: Received) -> Iterator[str]:
    """Run a server on this machine; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.headers.append({name.lower(): value for name, value in self.headers.items()})
            received.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(received.status)
            if received.location:
                self.send_header("Location", received.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alerts"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
