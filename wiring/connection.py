"""The connection to Constant Contact: how it is made, kept alive, rescued and ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oauth.connecting.account_check import AccountCheck
from oauth.connecting.connector import Connector
from oauth.connecting.control import ConnectionControl
from oauth.encryption import TokenCipher
from oauth.initial_token import plant
from oauth.refresh.rescue_file import RescueFile
from oauth.refresh.thread import RefreshThread
from oauth.token_source import TokenSource
from services.connection.audit import ConnectionAudit
from settings import Settings
from wiring.constant_contact import Account, Vendor, account_of
from wiring.storage import Storage

SCOPES = ("contact_data", "account_read", "offline_access")
RESCUE_FILE = "token-rescue"


@dataclass(frozen=True)
class Tokens:
    """What hands out access tokens, what seals them, and what is written down about them."""

    source: TokenSource
    cipher: TokenCipher
    audit: ConnectionAudit


@dataclass(frozen=True)
class Connection:
    """What an admin does to the connection, and what is done for it in the background.

    `plant_seed` begins with the refresh token of the environment, the first time only.
    """

    connector: Connector
    control: ConnectionControl
    thread: RefreshThread
    plant_seed: Callable[[], None]


def build_tokens(settings: Settings, storage: Storage, vendor: Vendor) -> Tokens:
    """The tokens of this installation."""
    cipher = TokenCipher(settings.encryption_keys)
    audit = ConnectionAudit(storage.store.events, clock=storage.clock)
    source = TokenSource(
        storage.store.connections,
        vendor.authorization_server,
        cipher,
        clock=storage.clock,
        fingerprint=settings.fingerprint,
        rescue=RescueFile(settings.data_dir / RESCUE_FILE, cipher),
        on_event=audit.record,
    )
    return Tokens(source, cipher, audit)


def build_connection(
    settings: Settings,
    storage: Storage,
    vendor: Vendor,
    tokens: Tokens,
    account: Account,
    *,
    on_connected: Callable[[], None],
) -> Connection:
    """`on_connected` is called after new tokens were stored because a person asked."""
    store, clock, audit = storage.store, storage.clock, tokens.audit
    ask = account_of(account.api, account.quota)
    connector = Connector(
        store.connections,
        store.oauth_attempts,
        vendor.authorization_server,
        tokens.cipher,
        clock=clock,
        scopes=SCOPES,
        pkce=settings.pkce,
        on_connected=on_connected,
        account_of=ask,
        fingerprint=settings.fingerprint,
        on_event=audit.record,
    )
    check = AccountCheck(store.connections, tokens.source, ask, clock=clock, on_event=audit.record)
    seed = settings.refresh_token_seed.get_secret_value()

    def plant_seed() -> None:
        if seed:
            plant(
                seed,
                vault=store.connections,
                sealer=tokens.cipher,
                fingerprint=settings.fingerprint,
                clock=clock,
                first_ignored=lambda seed_hash: store.meta.add(f"seed_ignored:{seed_hash}", ""),
                on_event=audit.record,
            )

    return Connection(
        connector=connector,
        control=ConnectionControl(
            tokens.source, connector, store.connections, tokens.cipher, on_refreshed=on_connected
        ),
        thread=RefreshThread(tokens.source, check),
        plant_seed=plant_seed,
    )
