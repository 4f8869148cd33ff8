"""Many callers at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from oauth.authorization_server import AuthorizationServer
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import RefreshUnavailable
from oauth.token_source import TokenSource
from tests.oauth.on_file import ConnectionsOnFile
from tests.oauth.vendor import DAY, START, Clock, Vendor

THREADS = 32


def all_at_once(calls: list[Callable[[], str]]) -> list[str]:
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], str]) -> str:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def slow(vendor: Vendor) -> None:
    """Each token call takes 0.1 s."""

    def take_time() -> None:
        threading.Event().wait(0.1)

    vendor.meanwhile = take_time


def test_32_threads_at_an_expired_token_make_one_refresh(
    source: TokenSource, vendor: Vendor, clock: Clock
) -> None:
    """Single flight: everybody gets the one new token."""
    clock.now = START + DAY
    slow(vendor)
    assert set(all_at_once([source.current] * THREADS)) == {"access-secret-1"}
    assert len(vendor.forms) == 1


def test_32_threads_with_a_rejected_token_make_one_refresh(source: TokenSource, vendor: Vendor) -> None:
    """The first one refreshes, the others find a newer token than the one they used."""
    token = source.current()
    slow(vendor)
    assert set(all_at_once([lambda: source.after_rejection(token)] * THREADS)) == {"access-secret-1"}
    assert len(vendor.forms) == 1


def test_two_processes_on_one_store_make_one_refresh(
    connections: ConnectionsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
) -> None:
    """The lease and the generation keep the second one from spending the same token."""
    clock.now = START + DAY
    slow(vendor)
    sources = [
        TokenSource(OAuthContext(connections, server, cipher, clock=clock, wait=threading.Event().wait))
        for _ in range(4)
    ]
    assert set(all_at_once([each.current for each in sources] * 4)) == {"access-secret-1"}
    assert len(vendor.forms) == 1
    assert connections.row.generation == 2


def test_waiting_threads_do_not_repeat_a_refresh_that_failed(
    source: TokenSource, vendor: Vendor, clock: Clock
) -> None:
    """A failure is shared like a success."""
    clock.now = START + DAY
    slow(vendor)
    vendor.canned = [(429, "")] * THREADS

    def failing() -> str:
        with pytest.raises(RefreshUnavailable):
            source.current()
        return "failed"

    all_at_once([failing] * THREADS)
    assert len(vendor.forms) == 1
