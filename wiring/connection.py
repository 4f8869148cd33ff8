"""The connection to Constant Contact: how it is made, kept alive, rescued and ended."""

from collections.abc import Callable
from dataclasses import dataclass

from oauth.connecting.account_check import AccountCheck
from oauth.connecting.connector import Connector
from oauth.connecting.control import ConnectionControl
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.initial_token import plant
from oauth.refresh.rescue_file import RescueFile
from oauth.refresh.thread import RefreshThread
from oauth.token_source import TokenSource
from services.connection.audit import ConnectionAudit
from settings import Settings
from wiring.clock import Tuning
from wiring.constant_contact import Account, Vendor, account_of
from wiring.storage import Storage

SCOPES = ("contact_data", "account_read", "offline_access")
RESCUE_FILE = "token-rescue"


@dataclass(frozen=True)
class Tokens:
    """What hands out access tokens, and the context that the parts of `oauth` share."""

    source: TokenSource
    context: OAuthContext


@dataclass(frozen=True)
class Connection:
    """What an admin does to the connection, and what is done for it in the background.

    `plant_seed` stores the refresh token of the environment, the first time only.
    """

    connector: Connector
    control: ConnectionControl
    thread: RefreshThread
    plant_seed: Callable[[], None]


def build_tokens(settings: Settings, storage: Storage, vendor: Vendor, tuning: Tuning) -> Tokens:
    """Build what keeps the tokens of this installation."""
    cipher = TokenCipher(settings.encryption_keys)
    audit = ConnectionAudit(storage.store.events, clock=storage.clock)
    context = OAuthContext(
        storage.store.connections,
        vendor.authorization_server,
        cipher,
        clock=storage.clock,
        fingerprint=settings.fingerprint,
        audit=audit.record,
        wait=lambda seconds: tuning.new_event().wait(seconds),
    )
    rescue = RescueFile(settings.data_dir / RESCUE_FILE, cipher)
    return Tokens(TokenSource(context, rescue=rescue), context)


def build_connection(
    settings: Settings,
    storage: Storage,
    tokens: Tokens,
    account: Account,
    *,
    on_connected: Callable[[], None],
) -> Connection:
    """Build the rest; `on_connected` is called after new tokens were stored because a person asked."""
    store, context = storage.store, tokens.context
    ask = account_of(account.api, account.quota)
    connector = Connector(
        context,
        store.oauth_attempts,
        ask,
        scopes=SCOPES,
        pkce=settings.pkce,
        on_connected=on_connected,
    )
    seed = settings.refresh_token_seed.get_secret_value()

    def plant_seed() -> None:
        if seed:
            plant(
                seed,
                context,
                first_ignored=lambda seed_hash: store.meta.add(f"seed_ignored:{seed_hash}", ""),
            )

    return Connection(
        connector=connector,
        control=ConnectionControl(context, tokens.source, connector, on_refreshed=on_connected),
        thread=RefreshThread(tokens.source, AccountCheck(context, tokens.source, ask)),
        plant_seed=plant_seed,
    )
