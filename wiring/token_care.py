"""The care of the tokens: who keeps, renews and rescues them, and the seed that an operator planted."""

from __future__ import annotations

from collections.abc import Callable

from oauth.authorization_server import AuthorizationServer
from oauth.encryption import TokenCipher
from oauth.initial_token import plant
from oauth.refresh.rescue_file import RescueFile
from oauth.refresh.thread import RefreshThread
from oauth.token_source import TokenSource
from services.connection.audit import ConnectionAudit
from settings import Settings
from store import Store
from wiring.clock import clock

RESCUE_FILE = "token-rescue"


def token_care(
    settings: Settings,
    tables: Store,
    server: AuthorizationServer,
    sealer: TokenCipher,
    events: ConnectionAudit,
) -> tuple[TokenSource, RefreshThread]:
    """The keeper of the tokens, and the thread that has it renew them in time."""
    keeper = TokenSource(
        tables.connections,
        server,
        sealer,
        clock=clock,
        fingerprint=settings.fingerprint,
        rescue=RescueFile(settings.data_dir / RESCUE_FILE, sealer),
        on_event=events.record,
    )
    ticker = RefreshThread(keeper)
    keeper.on_soft = ticker.nudge
    return keeper, ticker


def seed_planter(
    settings: Settings, tables: Store, sealer: TokenCipher, events: ConnectionAudit
) -> Callable[[], None]:
    """Plants the refresh token of the environment when it is called; the first time only."""
    seed = settings.refresh_token_seed.get_secret_value()

    def plant_seed() -> None:
        if seed:
            plant(
                seed,
                vault=tables.connections,
                sealer=sealer,
                fingerprint=settings.fingerprint,
                clock=clock,
                first_ignored=lambda seed_hash: tables.meta.add(f"seed_ignored:{seed_hash}", ""),
                on_event=events.record,
            )

    return plant_seed
