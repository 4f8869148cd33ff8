"""A refresh token from the environment."""

import pytest

from oauth.authorization_server import AuthorizationServer
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.initial_token import plant
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from store.key_value import KeyValue
from tests.oauth.vendor import START, Clock

SEED = "refresh-secret-from-the-environment"


class Start:
    """A start of the service with a seed; the events of all starts."""

    def __init__(
        self, database: Database, server: AuthorizationServer, cipher: TokenCipher, clock: Clock
    ) -> None:
        self.connections = OAuthConnections(database)
        self.server = server
        self.cipher = cipher
        self.clock = clock
        self.told: list[tuple[str, str | None]] = []
        self.meta = KeyValue(database)

    def record(self, kind: str, detail: str | None, _actor: str | None = None) -> None:
        self.told.append((kind, detail))

    def __call__(self, seed: str) -> bool:
        return plant(
            seed,
            OAuthContext(
                self.connections,
                self.server,
                self.cipher,
                clock=self.clock,
                fingerprint="this installation",
                audit=self.record,
            ),
            first_ignored=lambda seed_hash: self.meta.add(seed_hash, ""),
        )


@pytest.fixture
def start(database: Database, server: AuthorizationServer, cipher: TokenCipher, clock: Clock) -> Start:
    return Start(database, server, cipher, clock)


def connect(start: Start) -> None:
    """An admin connects."""
    start.connections.store_connected(
        access_sealed=start.cipher.seal("access"),
        refresh_sealed=start.cipher.seal("refresh"),
        access_issued_at=START,
        access_expires_at=START + 1,
        scope=None,
        now=START,
    )


def test_a_seed_begins_the_connection(start: Start) -> None:
    """Stored sealed and bound to this installation, with an access token that is over."""
    assert start(SEED)
    row = start.connections.read()
    assert start.cipher.unseal(row.refresh_sealed or "") == SEED
    assert (row.state, row.access_expires_at, row.fingerprint) == ("connected", 0, "this installation")
    assert SEED not in repr(row)
    assert start.told == [("seeded", None)]


def test_a_used_seed_is_passed_over_in_silence(start: Start) -> None:
    """The next start, with the seed still in the environment, changes and tells nothing."""
    start(SEED)
    before = start.connections.read()
    assert not start(SEED)
    assert start.connections.read() == before
    assert start.told == [("seeded", None)]


def test_a_used_seed_does_not_come_back_after_disconnecting(start: Start) -> None:
    """Whoever pressed Disconnect stays disconnected."""
    start(SEED)
    start.connections.disconnect(now=START)
    assert not start(SEED)
    assert start.connections.read().state == "disconnected"


def test_a_used_seed_is_remembered_through_an_admins_connection(start: Start) -> None:
    """Connecting by hand does not make the old seed new again."""
    start(SEED)
    connect(start)
    start.connections.disconnect(now=START)
    assert not start(SEED)


def test_a_seed_never_replaces_stored_tokens(start: Start) -> None:
    """It is older than what is stored; the event says so without the value."""
    connect(start)
    before = start.connections.read()
    assert not start(SEED)
    assert start.connections.read() == before
    [(kind, detail)] = start.told
    assert kind == "seed_ignored"
    assert SEED not in str(detail)


def test_an_ignored_seed_is_told_of_once(start: Start) -> None:
    """It stands in the environment at every start; another one is news again."""
    connect(start)
    for _ in range(3):
        start(SEED)
    assert len(start.told) == 1
    start("refresh-secret-of-another-day")
    assert len(start.told) == 2


def test_an_ignored_seed_is_still_good_for_a_beginning(start: Start) -> None:
    """To be passed over is not to be used: after Disconnect it may begin a connection."""
    connect(start)
    start(SEED)
    start.connections.disconnect(now=START)
    assert start(SEED)
