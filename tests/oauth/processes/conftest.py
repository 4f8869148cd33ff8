"""A connected deployment of several processes, on each engine, and its vendor."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import update
from werkzeug.serving import make_server

from oauth.encryption import TokenCipher
from sandbox import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, create_sandbox
from sandbox.authorization.tokens import Grant
from sandbox.state import World
from store.connection.oauth_connection import ConnectionRow, OAuthConnections
from store.engine.database import Database
from store.schema.connection import connection as table
from tests.oauth.processes.members import CALLBACK, KEYS, SCOPES, Member, Place, Time, fingerprint, server_of
from tests.oauth.processes.pooler import pooled
from tests.support.postgresql_server import new_database

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
POOLED = pytest.param("pgbouncer", marks=pytest.mark.postgresql)


def wait_for(what: str, look: Callable[[], object]) -> None:
    """Until ``look`` is true; fails by name after 20 s."""
    end = time.monotonic() + 20
    while not look():
        assert time.monotonic() < end, f"{what} did not happen"
        threading.Event().wait(0.01)


class Vendor:
    """The sandbox on a socket; its clock is the tests'."""

    def __init__(self, base: str, world: World) -> None:
        self.base, self.world = base, world

    def control(self, **settings: Any) -> None:
        requests.post(f"{self.base}/_sandbox/settings", json=settings, timeout=5).raise_for_status()

    def fault(self, times: int | None = None, **fault: Any) -> None:
        """What happens to token calls from now on."""
        order = {"match": {"path": "/oauth2/default/v1/token"}, "times": times, "fault": fault}
        requests.post(f"{self.base}/_sandbox/faults", json=order, timeout=5).raise_for_status()

    def heal(self) -> None:
        requests.delete(f"{self.base}/_sandbox/faults", timeout=5).raise_for_status()

    def code(self) -> str:
        """A person consented."""
        with self.world.lock:
            grant = Grant("owner", SCOPES)
            return self.world.tokens.issue_code(grant, CALLBACK, None, self.world.now())

    def calls(self) -> list[dict[str, Any]]:
        with self.world.lock:
            return [call.shown() for call in self.world.calls.after(0)]

    def wait_for_more_calls(self, number: int) -> None:
        enough = len(self.calls()) + number
        wait_for(f"{number} calls", lambda: len(self.calls()) >= enough)

    def refreshes(self) -> list[dict[str, Any]]:
        """Every call that sent a refresh token, oldest first, answered or not."""
        return [
            call
            for call in self.calls()
            if call["path"].endswith("/token") and "refresh_token" in call["body"]
        ]

    def newest(self) -> str:
        """The fingerprint of the refresh token that was issued last."""
        answers = [call["answer"] for call in self.calls() if call["path"].endswith("/token")]
        newest: str = [answer["refresh_token"] for answer in answers if answer and "refresh_token" in answer][
            -1
        ]
        return newest

    def accepts(self, access_token: str) -> bool:
        headers = {"Authorization": f"Bearer {access_token}"}
        return requests.get(f"{self.base}/v3/contact_lists", headers=headers, timeout=5).ok

    def nothing_was_reused(self) -> bool:
        return self.world.tokens.reuse_revocations == 0


class Stored:
    """The connection row as the test sees it."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.connections = OAuthConnections(self.database)

    def row(self) -> ConnectionRow:
        return self.connections.read()

    def access_token(self) -> str:
        return TokenCipher(KEYS).unseal(self.row().access_sealed or "")

    def refresh_token(self) -> str:
        """The fingerprint of the stored refresh token."""
        return fingerprint(TokenCipher(KEYS).unseal(self.row().refresh_sealed or ""))

    def put_back(self, row: ConnectionRow) -> None:
        """What a failover without the last commits does, and an older backup."""
        with self.database.transaction() as connection:
            connection.execute(update(table).values(**asdict(row)))


@pytest.fixture
def clock(tmp_path: Path) -> Time:
    return Time(tmp_path)


@pytest.fixture
def vendor(clock: Time) -> Iterator[Vendor]:
    app = create_sandbox(clock.vendors)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    vendor = Vendor(f"http://127.0.0.1:{server.server_port}", app.extensions["sandbox"])
    vendor.control(grace_seconds=0, rate_limit=False)
    yield vendor
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/app.db"
        return
    with new_database(request.getfixturevalue("postgresql_url")) as fresh:
        if request.param == "postgresql":
            yield fresh
            return
        with pooled(fresh, servers=2, wait_seconds=5) as through:
            yield through


@pytest.fixture
def stored(url: str) -> Iterator[Stored]:
    stored = Stored(url)
    yield stored
    stored.database.close()


@pytest.fixture
def place(url: str, vendor: Vendor, tmp_path: Path) -> Place:
    return Place(url, vendor.base, tmp_path, (SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET))


@pytest.fixture
def connect(place: Place, vendor: Vendor, stored: Stored, clock: Time) -> Callable[[], None]:
    """A consent whose tokens are stored, with the vendor's settings of that moment."""

    def connect() -> None:
        pair = server_of(place).exchange(vendor.code(), CALLBACK, None, clock.ours())
        cipher = TokenCipher(KEYS)
        stored.connections.store_connected(
            access_sealed=cipher.seal(pair.access),
            refresh_sealed=cipher.seal(pair.refresh or ""),
            access_issued_at=pair.issued_at,
            access_expires_at=pair.expires_at,
            scope=pair.scope,
            now=clock.ours(),
        )

    return connect


@pytest.fixture
def member(place: Place) -> Iterator[Callable[..., Member]]:
    """Starts a process, and ends it after the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> Member:
            member = Member(place, **options)
            stack.callback(member.close)
            return member

        yield start


@dataclass(frozen=True)
class Here:
    """A deployment that is not yet connected: what a scenario moves, and where it looks."""

    vendor: Vendor
    stored: Stored
    clock: Time
    connect: Callable[[], None]
    member: Callable[..., Member]


@pytest.fixture
def here(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> Here:
    return Here(vendor, stored, clock, connect, member)
