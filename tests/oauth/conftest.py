"""The vendor, the connections and a source over them."""

from collections.abc import Callable, Iterator

import pytest
import requests
import responses

from oauth.authorization_server import AuthorizationServer
from oauth.connecting.connector import Connector
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.token_source import TokenSource
from store.engine.database import Database
from tests.oauth.consent import SCOPES, Accounts, Calls, Happenings
from tests.oauth.on_file import AttemptsOnFile, ConnectionsOnFile
from tests.oauth.vendor import BASE_URL, DAY, START, Clock, Vendor
from tests.support.migrated import copy_migrated


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def vendor(http: responses.RequestsMock) -> Vendor:
    return Vendor(http)


@pytest.fixture
def server() -> AuthorizationServer:
    return AuthorizationServer(
        requests.Session(), base_url=BASE_URL, client_id="client-id", client_secret="client-secret"
    )


@pytest.fixture
def cipher() -> TokenCipher:
    return TokenCipher(["a key of enough length"])


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An empty database, on a file beside what else the test puts on disk."""
    file = tmp_path_factory.mktemp("store") / "test.db"
    copy_migrated(file)
    database = Database(f"sqlite:///{file}")
    yield database
    database.close()


@pytest.fixture
def attempts(database: Database) -> AttemptsOnFile:
    return AttemptsOnFile(database)


@pytest.fixture
def connections(database: Database, cipher: TokenCipher) -> ConnectionsOnFile:
    """Connected at START with tokens number 0, valid for a day."""
    connections = ConnectionsOnFile(database)
    connections.store_connected(
        access_sealed=cipher.seal("access-secret-0"),
        refresh_sealed=cipher.seal("refresh-secret-0"),
        access_issued_at=START,
        access_expires_at=START + DAY,
        scope="contact_data offline_access",
        now=START,
    )
    return connections


@pytest.fixture
def context(
    connections: ConnectionsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
) -> OAuthContext:
    return OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait)


@pytest.fixture
def source(context: OAuthContext) -> TokenSource:
    return TokenSource(context)


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def happenings() -> Happenings:
    return Happenings()


@pytest.fixture
def connected() -> Calls:
    return Calls()


@pytest.fixture
def make(
    connections: ConnectionsOnFile,
    attempts: AttemptsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    *,
    connected: Calls,
    accounts: Accounts,
    happenings: Happenings,
) -> Callable[[bool], Connector]:
    return lambda pkce: Connector(
        OAuthContext(
            connections,
            server,
            cipher,
            clock=clock,
            wait=clock.wait,
            fingerprint="this installation",
            audit=happenings,
        ),
        attempts,
        accounts,
        scopes=SCOPES,
        pkce=pkce,
        on_connected=connected,
    )


@pytest.fixture
def connector(make: Callable[[bool], Connector]) -> Connector:
    return make(True)
