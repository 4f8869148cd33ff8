"""The wiring: which part is handed to which. Importing this module starts nothing.

`create_app` does no input or output beyond reading the settings: the database is opened, and migrated, at its
first use, and Constant Contact is called when there is something to say.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests
import structlog
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

import logs
import sandbox
import web
from cli import register_commands
from in_process import InProcessAdapter
from oauth import (
    AuthorizationServer,
    BearerAuth,
    ConnectionControl,
    Connector,
    Keeper,
    OAuthError,
    RescueFile,
    Sealer,
    Ticker,
)
from oauth.connecting import AccountLike
from oauth.errors import AccountUnavailable
from oauth.routes import create_blueprint
from oauth.seed import plant
from services import (
    AdminAccess,
    ApiKeys,
    ConnectionStatus,
    Delivery,
    Doctor,
    DrainToken,
    Health,
    Intake,
    ListDirectory,
    Metrics,
    Services,
    TokenClock,
    Verdicts,
)
from services.connection_events import ConnectionEvents
from services.constant_contact import CALLS_FOR_ACCOUNT, ConstantContact, ConstantContactError
from services.delivery import Courier, DeliveryThread
from services.doctor import Deployment
from services.permits import CallPermits
from settings import THREADS_PER_WORKER, Settings
from store import (
    Budget,
    Connections,
    Database,
    Deliveries,
    Events,
    Meta,
    OAuthAttempts,
    Signups,
    SpentTokens,
    StoreError,
    Throttles,
)

VERSION = "0.1.0"
SCOPES = ("contact_data", "account_read", "offline_access")
SANDBOX_PATH = "/sandbox"
AUTH_PATH = "/oauth2/default/v1"
RESCUE_FILE = "token-rescue"
CALLBACK_PATH = "/oauth/callback"
IN_PROCESS = "http://sandbox.invalid"
BODY_LIMIT = 64 * 1024

log = structlog.get_logger(__name__)


def clock() -> int:
    """Now in epoch milliseconds; the only place that asks the machine."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Parts:
    """What `create_app` wires into the web: the use cases, the consent flow, the database, the sandbox."""

    services: Services
    connector: Connector
    ticker: Ticker
    plant_seed: Callable[[], None]
    database: Database
    sandbox: Flask | None


def create_app(settings: Settings | None = None, services: Parts | None = None) -> Flask:
    """The WSGI application. Raises settings.SettingsError with every problem of the environment at once."""
    settings = settings or Settings.from_env()
    logs.configure(production=settings.production)
    parts = services or build_services(settings)
    app = Flask(__name__)
    app.extensions["settings"] = settings
    app.config.update(_flask_config(settings, parts))
    web.register(app, parts.services)
    app.register_blueprint(
        create_blueprint(
            parts.connector,
            guard=web.guards.require_admin,
            redirect_uri=lambda: f"{web.base_url()}{CALLBACK_PATH}",
            home=lambda: f"{web.base_url()}/admin/",
        )
    )
    app.register_error_handler(StoreError, web.errors.storage_unavailable)
    register_commands(app)
    app.extensions["delivery_thread"] = DeliveryThread(parts.services.delivery)
    app.extensions["ticker"] = parts.ticker
    app.extensions["plant_seed"] = parts.plant_seed
    app.extensions["database"] = parts.database
    if parts.sandbox is not None:
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {SANDBOX_PATH: parts.sandbox})  # type: ignore[method-assign]
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def build_services(settings: Settings) -> Parts:
    """Every part with its real collaborators; nothing is opened yet."""
    store = _Store.at(settings.store_url)
    stand_in = sandbox.create_sandbox() if settings.builtin_sandbox else None
    server, sealer = _authorization_server(settings, stand_in), Sealer(settings.encryption_keys)
    record = ConnectionEvents(store.events, clock=clock).record
    keeper = Keeper(
        store.connections,
        server,
        sealer,
        clock=clock,
        fingerprint=settings.fingerprint,
        rescue=RescueFile(settings.data_dir / RESCUE_FILE, sealer),
        on_event=record,
    )
    ticker = Ticker(keeper)
    keeper.on_soft = ticker.nudge
    connection = ConnectionStatus(store.connections, clock=clock)
    vendor = _constant_contact(settings, stand_in, keeper)
    permits = CallPermits(store.budget, clock=clock)
    lists = ListDirectory(vendor=vendor, connection=connection, meta=store.meta, permits=permits, clock=clock)
    delivery = _delivery(store, connection, vendor, lists)

    def connected() -> None:
        # What paused under the old tokens says nothing about the new ones.
        store.budget.resume()
        delivery.wake()

    connector = Connector(
        store.connections,
        store.oauth_attempts,
        server,
        sealer,
        clock=clock,
        scopes=SCOPES,
        pkce=settings.pkce,
        on_connected=connected,
        account_of=_account_of(vendor, permits),
        fingerprint=settings.fingerprint,
        on_event=record,
    )
    control = ConnectionControl(keeper, connector, store.connections, sealer, on_refreshed=connected)
    tokens = TokenClock(store.connections, clock=clock)
    services = Services(
        intake=_intake(settings, store, connection, lists, delivery),
        lists=lists,
        delivery=delivery,
        connection=connection,
        connection_control=control,
        tokens=tokens,
        events=store.events.recent,
        health=Health(
            database=store.database,
            deliveries=store.deliveries,
            budget=store.budget,
            connection=connection,
            warnings=settings.warnings(),
            version=VERSION,
            clock=clock,
        ),
        metrics=Metrics(
            database=store.database,
            connection=connection,
            tokens=tokens,
            deliveries=store.deliveries,
            budget=store.budget,
            clock=clock,
        ),
        doctor=Doctor(
            _deployment(settings),
            database=store.database,
            connection=connection,
            control=control,
            tokens=tokens,
            lists=lists,
            deliveries=store.deliveries,
            budget=store.budget,
            clock=clock,
        ),
        admin=AdminAccess(
            password=settings.admin_password.get_secret_value(),
            secret_key=settings.secret_key.get_secret_value(),
            throttles=store.throttles,
            spent_tokens=store.spent_tokens,
            clock=clock,
        ),
        api_keys=ApiKeys(settings.api_keys),
        drain_token=DrainToken(settings.drain_token.get_secret_value()),
    )
    seed = settings.refresh_token_seed.get_secret_value()

    def plant_seed() -> None:
        if seed:
            plant(
                seed,
                vault=store.connections,
                sealer=sealer,
                fingerprint=settings.fingerprint,
                clock=clock,
                on_event=record,
            )

    return Parts(services, connector, ticker, plant_seed, store.database, stand_in)


@dataclass(frozen=True)
class _Store:
    """The tables of one database."""

    database: Database
    signups: Signups
    deliveries: Deliveries
    budget: Budget
    connections: Connections
    events: Events
    oauth_attempts: OAuthAttempts
    meta: Meta
    throttles: Throttles
    spent_tokens: SpentTokens

    @classmethod
    def at(cls, url: str) -> _Store:
        database = Database(url)
        return cls(
            database=database,
            signups=Signups(database),
            deliveries=Deliveries(database),
            budget=Budget(database),
            connections=Connections(database),
            events=Events(database),
            oauth_attempts=OAuthAttempts(database),
            meta=Meta(database),
            throttles=Throttles(database),
            spent_tokens=SpentTokens(database),
        )


def _delivery(
    store: _Store, connection: ConnectionStatus, vendor: ConstantContact, lists: ListDirectory
) -> Delivery:
    courier = Courier(
        deliveries=store.deliveries, budget=store.budget, connection=connection, vendor=vendor, clock=clock
    )
    return Delivery(courier=courier, deliveries=store.deliveries, lists=lists, clock=clock)


def _intake(
    settings: Settings,
    store: _Store,
    connection: ConnectionStatus,
    lists: ListDirectory,
    delivery: Delivery,
) -> Intake:
    verdicts = Verdicts(
        signups=store.signups,
        deliveries=store.deliveries,
        budget=store.budget,
        connection=connection,
        wait_seconds=settings.subscribe_wait_seconds,
        waiters=max(1, THREADS_PER_WORKER // 4),
        clock=clock,
    )
    return Intake(
        signups=store.signups,
        lists=lists,
        delivery=delivery,
        verdicts=verdicts,
        public_list_ids=_public_lists(settings),
        clock=clock,
    )


def _account_of(vendor: ConstantContact, permits: CallPermits) -> Callable[[str], AccountLike]:
    def account_of(access_token: str) -> AccountLike:
        for _ in range(CALLS_FOR_ACCOUNT):
            permits.take(urgent=True)
        try:
            return vendor.account(access_token)
        except ConstantContactError as error:
            raise AccountUnavailable from error

    return account_of


def _deployment(settings: Settings) -> Deployment:
    base = settings.public_base_url
    return Deployment(
        warnings=tuple(settings.warnings()),
        store_url=settings.store_url,
        data_dir=settings.data_dir,
        redirect_uri=f"{base}{CALLBACK_PATH}" if base else None,
        public_list_ids=_public_lists(settings),
        delivers_itself=settings.delivery == "thread",
        vendor_urls=() if settings.builtin_sandbox else (settings.api_url, settings.auth_url),
    )


def start(app: Flask) -> None:
    """What a serving process begins after its fork: migrate the database, tend the tokens, deliver."""
    settings: Settings = app.extensions["settings"]
    for warning in settings.warnings():
        log.critical("settings_warning", problem=warning)
    try:
        app.extensions["database"].prepare()
        app.extensions["plant_seed"]()
    except StoreError as error:
        # Not fatal: each use tries again, and /health says so meanwhile.
        log.critical("database_not_ready", error=type(error).__name__, problem=str(error))
    app.extensions["ticker"].start()
    if settings.delivery == "thread":
        app.extensions["delivery_thread"].start()


def stop(app: Flask) -> None:
    """Finish the calls in flight, end the delivery and the care of the tokens."""
    app.extensions["delivery_thread"].stop()
    app.extensions["ticker"].stop()


def _flask_config(settings: Settings, parts: Parts) -> dict[str, Any]:
    return {
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "MAX_CONTENT_LENGTH": BODY_LIMIT,
        "MAX_FORM_MEMORY_SIZE": BODY_LIMIT,
        "SESSION_COOKIE_NAME": "subscriber_sync",
        "SESSION_COOKIE_SECURE": settings.secure_cookies,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
        "PUBLIC_BASE_URL": settings.public_base_url,
        "ALLOWED_ORIGINS": settings.allowed_origins,
        "PUBLIC_LIST_IDS": _public_lists(settings),
        "SANDBOX_PATH": SANDBOX_PATH if parts.sandbox else None,
        "ENVIRONMENT": settings.app_env,
    }


def _public_lists(settings: Settings) -> tuple[str, ...]:
    if not settings.public_list_ids and settings.uses_sandbox_application(sandbox.SANDBOX_CLIENT_ID):
        return (sandbox.PRESET_LIST_ID,)
    return settings.public_list_ids


def _authorization_server(settings: Settings, stand_in: Flask | None) -> AuthorizationServer:
    session = requests.Session()
    if stand_in is None:
        return AuthorizationServer(
            session,
            base_url=settings.auth_url,
            client_id=settings.client_id or "",
            client_secret=settings.client_secret.get_secret_value(),
        )
    session.mount(IN_PROCESS, InProcessAdapter(stand_in, dropped=sandbox.ConnectionDropped))
    return AuthorizationServer(
        session,
        base_url=f"{IN_PROCESS}{AUTH_PATH}",
        consent_base_url=f"{SANDBOX_PATH}{AUTH_PATH}",
        client_id=sandbox.SANDBOX_CLIENT_ID,
        client_secret=sandbox.SANDBOX_CLIENT_SECRET,
    )


def _constant_contact(settings: Settings, stand_in: Flask | None, keeper: Keeper) -> ConstantContact:
    session = requests.Session()
    session.auth = BearerAuth(keeper)
    base_url = settings.api_url
    if stand_in is not None:
        session.mount(IN_PROCESS, InProcessAdapter(stand_in, dropped=sandbox.ConnectionDropped))
        base_url = f"{IN_PROCESS}/v3"
    return ConstantContact(session, base_url=base_url, connection_errors=(OAuthError,))


if __name__ == "__main__":
    os.execvp(sys.executable, [sys.executable, "-m", "gunicorn", "app:create_app()"])  # noqa: S606 - fixed words
