"""A token endpoint that takes its time: who waits, and for how long."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oauth.authorization_server import AuthorizationServer
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import RefreshUnavailable
from oauth.token_source import TokenSource
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from tests.oauth.on_file import ConnectionsOnFile
from tests.oauth.refresh.test_token_source_race import all_at_once
from tests.oauth.vendor import DAY, HOUR, START, Clock, Vendor
from tests.store.conftest import accept

EXPIRED = START + DAY
# The vendor is held until the test lets it go, so this bounds a busy machine only.
AT_ONCE = 3.0
PATIENCE = 0.75


class Held:
    """Holds every token call until released."""

    def __init__(self, vendor: Vendor) -> None:
        self.asked, self.released = threading.Event(), threading.Event()
        vendor.meanwhile = self

    def __call__(self) -> None:
        self.asked.set()
        self.released.wait(10)


@pytest.fixture
def held(vendor: Vendor) -> Iterator[Held]:
    held = Held(vendor)
    yield held
    held.released.set()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    yield database
    database.close()


def test_a_slow_renewal_in_the_background_holds_up_neither_callers_nor_sign_ups(
    database: Database, server: AuthorizationServer, cipher: TokenCipher, clock: Clock, held: Held
) -> None:
    """Two hours before the end everybody goes on with the old token, and no transaction is open meanwhile."""
    connections = OAuthConnections(database)
    connections.store_connected(
        access_sealed=cipher.seal("access-secret-0"),
        refresh_sealed=cipher.seal("refresh-secret-0"),
        access_issued_at=START,
        access_expires_at=EXPIRED,
        scope=None,
        now=START,
        account_id="a-1",
    )
    source = TokenSource(OAuthContext(connections, server, cipher, clock=clock))
    clock.now = EXPIRED - HOUR
    background = threading.Thread(target=source.tend)
    background.start()
    assert held.asked.wait(5)
    for number in range(5):
        began = time.monotonic()
        assert source.current() == "access-secret-0"
        accept(database, str(number), at=clock.now)
        assert time.monotonic() - began < AT_ONCE
        clock.now += 1_000
    held.released.set()
    background.join(10)
    clock.now += 1_000
    assert source.current() == "access-secret-1"


def test_callers_give_up_waiting_for_a_slow_refresh_and_make_no_second_one(
    connections: ConnectionsOnFile,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    vendor: Vendor,
    held: Held,
) -> None:
    """In the last two minutes they wait, 12 s at most; their sign-ups then stay queued."""
    clock.now = EXPIRED - 60_000
    source = TokenSource(OAuthContext(connections, server, cipher, clock=clock), patience=PATIENCE)
    tokens: list[str] = []
    first = threading.Thread(target=lambda: tokens.append(source.current()))
    first.start()
    assert held.asked.wait(5)

    def impatient() -> str:
        with pytest.raises(RefreshUnavailable) as caught:
            source.current()
        return str(caught.value.retry_at)

    began = time.monotonic()
    assert set(all_at_once([impatient] * 4)) == {str(clock.now + 2_000)}
    assert PATIENCE <= time.monotonic() - began < PATIENCE + AT_ONCE
    assert len(vendor.forms) == 1
    held.released.set()
    first.join(10)
    assert tokens == ["access-secret-1"]
    assert len(vendor.forms) == 1


def test_a_pause_after_a_failure_is_kept_by_every_process(
    connections: ConnectionsOnFile,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    vendor: Vendor,
) -> None:
    """Ten processes make no ten calls: the time of the next try is in the row."""
    clock.now = EXPIRED
    sources = [
        TokenSource(OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait))
        for _ in range(10)
    ]
    vendor.outage = (429, "")
    for _ in range(2):
        for source in sources:
            with pytest.raises(RefreshUnavailable):
                source.current()
    assert len(vendor.forms) == 1
    clock.now = connections.row.next_refresh_at or 0
    vendor.outage = None
    assert {source.current() for source in sources} == {"access-secret-1"}
    assert len(vendor.forms) == 2
