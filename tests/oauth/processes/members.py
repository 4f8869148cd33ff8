"""Processes with a token source each, that share a database, a vendor and a time that tests move by hand.

Imports little: each process imports this module, not the tests.
"""

import fcntl
import hashlib
import multiprocessing
import os
import signal
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from oauth.authorization_server import AuthorizationServer
from oauth.bearer import BearerAuth
from oauth.connecting.connector import Connector
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import OAuthError
from oauth.token_source import TokenSource
from oauth.tokens import TokenPair
from store.connection.authorization_requests import AuthorizationRequests
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from store.errors import StoreError

CALLBACK = "https://app.test/oauth/callback"
KEYS = ["a key of enough length"]
SCOPES = ("contact_data", "account_read", "offline_access")
BROWSER = "the admin's browser"
# Forks from a small process that has this module loaded: a real process of its own, at once.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


class Time:
    """The machine's time and what tests add to it; one file, so that all processes see the same."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "time"
        if not self._file.exists():
            self._file.write_bytes(struct.pack("qq", 0, 0))

    def vendors(self) -> float:
        """Epoch seconds at the vendor."""
        return time.time() + self._moved()[0] / 1000

    def ours(self) -> int:
        """Epoch ms as our clock has it, right or wrong."""
        return int(time.time() * 1000) + sum(self._moved())

    def advance(self, seconds: float) -> None:
        """Time passes, here and at the vendor."""
        self._move(seconds, 0)

    def step_our_clock(self, seconds: float) -> None:
        """Our clock is set, and nobody else's."""
        self._move(0, seconds)

    def wait(self, seconds: float) -> None:
        """Waiting that takes no time."""
        self.advance(seconds)
        threading.Event().wait(0.002)

    def _moved(self) -> tuple[int, int]:
        everybody, we = struct.unpack("qq", self._file.read_bytes())
        return everybody, we

    def _move(self, everybody: float, we: float) -> None:
        with self._file.open("r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before = struct.unpack("qq", file.read())
            file.seek(0)
            file.write(struct.pack("qq", before[0] + int(everybody * 1000), before[1] + int(we * 1000)))


@dataclass(frozen=True)
class Place:
    """What the processes of one deployment share."""

    url: str
    vendor: str
    folder: Path
    client: tuple[str, str]


def fingerprint(token: str) -> str:
    """As the sandbox shows tokens in its record of calls."""
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()[:12]


class Unlucky(AuthorizationServer):
    """Something happens to the process during its first refresh: a signal, before or after the answer."""

    mishap: tuple[str, signal.Signals] | None = None

    def refresh(self, refresh_token: str, now: int, **limits: Any) -> TokenPair:
        mishap, self.mishap = self.mishap, None
        if mishap and mishap[0] == "before":
            os.kill(os.getpid(), mishap[1])
        pair = super().refresh(refresh_token, now, **limits)
        if mishap and mishap[0] == "after":
            os.kill(os.getpid(), mishap[1])
        return pair


def server_of(place: Place) -> Unlucky:
    return Unlucky(
        requests.Session(),
        base_url=f"{place.vendor}/oauth2/default/v1",
        client_id=place.client[0],
        client_secret=place.client[1],
    )


class _Process:
    """What runs in a member's process; each method is an order that it may get."""

    def __init__(
        self, place: Place, mishap: tuple[str, signal.Signals] | None, *, waits_for_real: bool
    ) -> None:
        clock = Time(place.folder)
        self._api = f"{place.vendor}/v3/contact_lists"
        database, server, cipher = Database(place.url), server_of(place), TokenCipher(KEYS)
        server.mishap = mishap
        connections, wait = (
            OAuthConnections(database),
            threading.Event().wait if waits_for_real else clock.wait,
        )
        self._source = TokenSource(OAuthContext(connections, server, cipher, clock=clock.ours, wait=wait))
        self._connector = Connector(
            OAuthContext(connections, server, cipher, clock=clock.ours, wait=wait),
            AuthorizationRequests(database),
            lambda _: SimpleNamespace(account_id="a1", name="Shelter", user="ada", may_manage_contacts=True),
            scopes=SCOPES,
            pkce=False,
            on_connected=self._source.forget,
        )

    def current(self) -> str:
        return fingerprint(self._source.current())

    def tend(self) -> None:
        self._source.tend()

    def refresh_now(self) -> None:
        self._source.refresh_now()

    def press_connect(self) -> str:
        url = self._connector.start(browser=BROWSER, redirect_uri=CALLBACK)
        return parse_qs(urlsplit(url).query)["state"][0]

    def come_back(self, state: str, code: str) -> None:
        self._connector.finish(browser=BROWSER, state=state, code=code, error=None)

    def disconnect(self) -> None:
        self._connector.disconnect()

    def call_the_api(self, threads: int, times: int) -> list[str]:
        """What went wrong, over all threads; they begin together."""
        barrier = threading.Barrier(threads)

        def work(_: int) -> list[str]:
            with requests.Session() as session:
                session.auth = BearerAuth(self._source, booked=lambda: None)
                barrier.wait()
                return [outcome for outcome in map(self._call, [session] * times) if outcome != "200"]

        with ThreadPoolExecutor(threads) as pool:
            return [failure for failures in pool.map(work, range(threads)) for failure in failures]

    def _call(self, session: requests.Session) -> str:
        try:
            return str(session.get(self._api, timeout=20).status_code)
        except (OAuthError, StoreError, requests.RequestException) as failure:
            return type(failure).__name__


def _serve(
    place: Place, mishap: tuple[str, signal.Signals] | None, waits_for_real: bool, orders: Connection
) -> None:
    process = _Process(place, mishap, waits_for_real=waits_for_real)
    while True:
        try:
            order, arguments = orders.recv()
        except EOFError:
            return
        try:
            outcome = getattr(process, order)(*arguments)
        except (OAuthError, StoreError) as failure:
            outcome = type(failure).__name__
        orders.send(outcome)


class Member:
    """One process of a deployment; dies with the test."""

    def __init__(
        self,
        place: Place,
        *,
        mishap: tuple[str, signal.Signals] | None = None,
        waits_for_real: bool = False,
    ) -> None:
        self._orders, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_serve, args=(place, mishap, waits_for_real, theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    def begin(self, order: str, *arguments: object) -> None:
        """Give an order and go on."""
        self._orders.send((order, arguments))

    def outcome(self) -> Any:
        """What the order returned, or the name of the failure it raised."""
        assert self._orders.poll(30), "the process does not answer"
        return self._orders.recv()

    def do(self, order: str, *arguments: object) -> Any:
        self.begin(order, *arguments)
        return self.outcome()

    def exit_code(self) -> int | None:
        """Waits for the end."""
        self._process.join(20)
        return self._process.exitcode

    def wait_until_paused(self) -> None:
        status, end = Path(f"/proc/{self._process.pid}/stat"), time.monotonic() + 20
        while status.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < end, "the process was not stopped"
            threading.Event().wait(0.01)

    def go_on(self) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        self._orders.close()
        if self._process.is_alive():
            self._process.kill()
        self._process.join(5)
