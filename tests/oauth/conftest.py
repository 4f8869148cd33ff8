"""The vendor, the vault and a keeper over them."""

from collections.abc import Callable, Iterator

import pytest
import requests
import responses

from oauth.authorization_server import AuthorizationServer
from oauth.connecting.connector import Connector
from oauth.encryption import TokenCipher
from oauth.token_source import TokenSource
from tests.oauth.consent import SCOPES, Accounts, Calls, Happenings
from tests.oauth.vault_in_memory import AttemptsInMemory, VaultInMemory
from tests.oauth.vendor import BASE_URL, DAY, START, Clock, Vendor


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
def sealer() -> TokenCipher:
    return TokenCipher(["a key of enough length"])


@pytest.fixture
def attempts() -> AttemptsInMemory:
    return AttemptsInMemory()


@pytest.fixture
def vault(sealer: TokenCipher) -> VaultInMemory:
    """Connected at START with tokens number 0, valid for a day."""
    vault = VaultInMemory()
    vault.store_connected(
        access_sealed=sealer.seal("access-secret-0"),
        refresh_sealed=sealer.seal("refresh-secret-0"),
        access_issued_at=START,
        access_expires_at=START + DAY,
        scope="contact_data offline_access",
        now=START,
    )
    return vault


@pytest.fixture
def keeper(
    vault: VaultInMemory, vendor: Vendor, server: AuthorizationServer, sealer: TokenCipher, clock: Clock
) -> TokenSource:
    return TokenSource(vault, server, sealer, clock=clock, wait=clock.wait)


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
    vault: VaultInMemory,
    attempts: AttemptsInMemory,
    vendor: Vendor,
    server: AuthorizationServer,
    sealer: TokenCipher,
    clock: Clock,
    *,
    connected: Calls,
    accounts: Accounts,
    happenings: Happenings,
) -> Callable[[bool], Connector]:
    return lambda pkce: Connector(
        vault,
        attempts,
        server,
        sealer,
        clock=clock,
        scopes=SCOPES,
        pkce=pkce,
        on_connected=connected,
        account_of=accounts,
        fingerprint="this installation",
        on_event=happenings,
        wait=clock.wait,
    )


@pytest.fixture
def connector(make: Callable[[bool], Connector]) -> Connector:
    return make(True)
