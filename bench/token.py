"""What handing out an access token costs while no refresh is due."""

import statistics
import tempfile
import threading
import time
from pathlib import Path

import requests

from oauth.authorization_server import AuthorizationServer
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.token_source import TokenSource
from store.connection.oauth_connection import ConnectionRow, OAuthConnections
from store.engine.database import Database

ROUNDS, CALLS = 20, 1_000
SPREAD_SECONDS = 5.0
DAY = 86_400_000


class CountedConnections(OAuthConnections):
    """OAuthConnections that counts the reads of the row."""

    reads = 0

    def read(self) -> ConnectionRow:
        """Count, and return the row."""
        self.reads += 1
        return super().read()


def measure() -> list[tuple[str, str]]:
    """Measure a connected TokenSource on SQLite that one thread asks repeatedly."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'app.db'}")
        connections, cipher = CountedConnections(database), TokenCipher(["a key of enough length"])
        connections.store_connected(
            access_sealed=cipher.seal("access"),
            refresh_sealed=cipher.seal("refresh"),
            access_issued_at=_now(),
            access_expires_at=_now() + DAY,
            scope=None,
            now=_now(),
        )
        server = AuthorizationServer(
            requests.Session(), base_url="https://unused.invalid", client_id="id", client_secret="secret"
        )
        source = TokenSource(OAuthContext(connections, server, cipher, clock=_now))
        source.current()
        micros = [_round(source) for _ in range(ROUNDS)]
        connections.reads = 0
        # The row is read after some time, not after some calls, so the calls are spread as in a busy worker.
        for _ in range(CALLS):
            source.current()
            threading.Event().wait(SPREAD_SECONDS / CALLS)
        database.close()
    return [
        (
            "warm access token (goal: under 20 µs)",
            f"median {statistics.median(micros):.2f} µs, worst {max(micros):.2f} µs",
        ),
        (f"database reads per {CALLS} calls, spread over {SPREAD_SECONDS:.0f} s", str(connections.reads)),
    ]


def _round(source: TokenSource) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        source.current()
    return (time.perf_counter() - began) / CALLS * 1e6


def _now() -> int:
    return int(time.time() * 1000)
