"""Real processes on a real database against a real sandbox server."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server

from oauth.authorization_server import AuthorizationServer
from oauth.bearer import BearerAuth
from oauth.keeper import Keeper
from oauth.sealing import Sealer
from oauth.tokens import TokenPair
from sandbox import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, create_sandbox
from sandbox.state import World
from sandbox.tokens import Grant
from store import Connections, Database
from tests.postgresql_server import new_database

PROCESSES, THREADS, SECONDS = 4, 8, 6.0
# The keepers' clock runs faster, so that the shortest lifetime, 10 s, is over after 2.25 s.
SPEED = 4
KEYS = ["a key of enough length"]
CALLBACK = "https://app.test/oauth/callback"
SPAWN = multiprocessing.get_context("spawn")


@dataclass
class Vendor:
    base: str
    world: World

    def control(self, **settings: Any) -> None:
        requests.post(f"{self.base}/_sandbox/settings", json=settings, timeout=5).raise_for_status()


def fast_clock() -> int:
    return int(time.time() * 1000 * SPEED)


def authorization_server(base: str) -> AuthorizationServer:
    return AuthorizationServer(
        requests.Session(),
        base_url=f"{base}/oauth2/default/v1",
        client_id=SANDBOX_CLIENT_ID,
        client_secret=SANDBOX_CLIENT_SECRET,
    )


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    app = create_sandbox()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Vendor(f"http://127.0.0.1:{server.server_port}", app.extensions["sandbox"])
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/app.db"
        return
    with new_database(request.getfixturevalue("postgresql_url")) as fresh:
        yield fresh


def connect(vendor: Vendor, connections: Connections) -> None:
    """A consent, with tokens for 10 s."""
    grant = Grant("user", ("contact_data", "account_read", "offline_access"))
    code = vendor.world.tokens.issue_code(grant, CALLBACK, None, vendor.world.now())
    pair = authorization_server(vendor.base).exchange(code, CALLBACK, None, fast_clock())
    sealer = Sealer(KEYS)
    connections.store_connected(
        access_sealed=sealer.seal(pair.access),
        refresh_sealed=sealer.seal(pair.refresh or ""),
        access_issued_at=pair.issued_at,
        access_expires_at=pair.expires_at,
        scope=pair.scope,
        now=fast_clock(),
    )


def call_the_api(url: str, base: str, outcomes: "multiprocessing.Queue[tuple[int, list[str]]]") -> None:
    """One process: threads that call until the time is over."""
    database = Database(url)
    keeper = Keeper(Connections(database), authorization_server(base), Sealer(KEYS), clock=fast_clock)
    failures: list[str] = []
    calls = [0] * THREADS
    end = time.monotonic() + SECONDS

    def work(index: int) -> None:
        with requests.Session() as session:
            session.auth = BearerAuth(keeper, booked=lambda: None)
            while time.monotonic() < end:
                try:
                    status = session.get(f"{base}/v3/contact_lists", timeout=5).status_code
                except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
                    failures.append(repr(error))
                    continue
                calls[index] += 1
                if status != 200:
                    failures.append(str(status))
                threading.Event().wait(0.05)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    outcomes.put((sum(calls), failures))


def test_processes_make_one_refresh_an_expiry_and_no_call_fails(vendor: Vendor, url: str) -> None:
    """D1, D2: 4 processes of 8 threads, no grace for a superseded token, over two expiries."""
    vendor.control(grace_seconds=0, access_token_seconds=10, rate_limit=False)
    database = Database(url)
    connections = Connections(database)
    connect(vendor, connections)
    outcomes: multiprocessing.Queue[tuple[int, list[str]]] = SPAWN.Queue()
    processes = [
        SPAWN.Process(target=call_the_api, args=(url, vendor.base, outcomes)) for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    results = [outcomes.get(timeout=25) for _ in processes]
    for process in processes:
        process.join(5)
    row = connections.read()
    database.close()
    log = requests.get(f"{vendor.base}/_sandbox/requests", timeout=5).json()["requests"]
    refreshes = sum(1 for entry in log if entry["path"].endswith("/token")) - 1
    assert [failures for _, failures in results] == [[]] * PROCESSES
    assert sum(calls for calls, _ in results) > PROCESSES * THREADS * 3
    assert refreshes == row.generation - 1 >= 2
    assert (vendor.world.tokens.grace_hits, vendor.world.tokens.reuse_revocations) == (0, 0)


class Dying(AuthorizationServer):
    """Kills its process before or after the refresh is made."""

    after_reply = False

    def refresh(self, refresh_token: str, now: int, *, seconds: float = 13) -> TokenPair:
        if self.after_reply:
            super().refresh(refresh_token, now)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def die_refreshing(url: str, base: str, after_reply: bool) -> None:
    server = Dying(
        requests.Session(),
        base_url=f"{base}/oauth2/default/v1",
        client_id=SANDBOX_CLIENT_ID,
        client_secret=SANDBOX_CLIENT_SECRET,
    )
    server.after_reply = after_reply
    Keeper(Connections(Database(url)), server, Sealer(KEYS), clock=fast_clock, lease_ms=4_000).refresh_now()


@pytest.mark.parametrize(("after_reply", "grace_hits"), [(True, 1), (False, 0)])
def test_a_process_killed_in_a_refresh_is_survived_within_a_lease(
    vendor: Vendor, tmp_path: Path, after_reply: bool, grace_hits: int
) -> None:
    """D9, D10: the next process takes over when the lease ends, inside the vendor's grace."""
    vendor.control(grace_seconds=30, rate_limit=False)
    url = f"sqlite:///{tmp_path}/app.db"
    database = Database(url)
    connections = Connections(database)
    connect(vendor, connections)
    process = SPAWN.Process(target=die_refreshing, args=(url, vendor.base, after_reply))
    process.start()
    process.join(15)
    assert process.exitcode == -signal.SIGKILL
    assert connections.read().attempt_started_at is not None
    Keeper(connections, authorization_server(vendor.base), Sealer(KEYS), clock=fast_clock).refresh_now()
    row = connections.read()
    database.close()
    assert (row.state, row.generation) == ("connected", 2)
    assert vendor.world.tokens.grace_hits == grace_hits
