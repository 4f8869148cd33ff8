"""The wiring: which part is handed to which. Importing this module starts nothing.

`create_app` does no input or output beyond reading the settings: the database is opened, and migrated, at its
first use, and Constant Contact is called when there is something to say.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

import logs
import sandbox
import vendor
import web
from cli import register_commands
from oauth import (
    AccountPin,
    AuthorizationServer,
    ConnectionControl,
    Connector,
    Keeper,
    RescueFile,
    Sealer,
    Ticker,
)
from oauth.routes import create_blueprint
from oauth.seed import plant
from services import (
    AdminAccess,
    ApiKeys,
    ConnectionStatus,
    Delivery,
    Doctor,
    DrainToken,
    FormDirectory,
    Health,
    Housekeeping,
    HousekeepingThread,
    Intake,
    ListDirectory,
    Metrics,
    Services,
    SignupCare,
    Task,
    TokenClock,
    Verdicts,
)
from services.connection import ConnectLimit
from services.connection_events import ConnectionEvents
from services.delivery import Courier, DeliveryThread, Sender
from services.doctor import Deployment
from services.findings import database_file
from services.intake import payload_of
from services.permits import CallPermits
from settings import THREADS_PER_WORKER, Settings
from store import (
    Database,
    Disk,
    Expiry,
    Salvage,
    Spool,
    SpoolImport,
    StoreError,
    Tables,
)
from store.clock import DatabaseClock
from store.retention import Retention

VERSION = "0.1.0"
SCOPES = ("contact_data", "account_read", "offline_access")
RESCUE_FILE = "token-rescue"
CALLBACK_PATH = "/oauth/callback"
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
    starting: Callable[[], None]
    database: Database
    sandbox: Flask | None


@dataclass(frozen=True)
class Keeping:
    """What keeps sign-ups while the database fails them: the spool, the disk, and what a lost file held."""

    spool: Spool
    disk: Disk
    salvage: Salvage | None

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Keeping:
        """Nothing is opened; a server's files are its operator's, so only SQLite has a salvage."""
        file = database_file(settings.store_url)
        return cls(
            spool=Spool(settings.data_dir / "spool"),
            disk=Disk(file.parent if file else settings.data_dir),
            salvage=Salvage(database, file, payload_of=payload_of) if file else None,
        )


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
            starting=parts.starting,
            redirect_uri=lambda: f"{web.base_url()}{CALLBACK_PATH}",
            home=lambda: f"{web.base_url()}/admin/",
        )
    )
    app.register_error_handler(StoreError, web.errors.storage_unavailable)
    register_commands(app)
    app.extensions["delivery_thread"] = DeliveryThread(parts.services.delivery)
    app.extensions["housekeeping_thread"] = HousekeepingThread(parts.services.housekeeping)
    app.extensions["ticker"] = parts.ticker
    app.extensions["plant_seed"] = parts.plant_seed
    app.extensions["database"] = parts.database
    if parts.sandbox is not None:
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {vendor.SANDBOX_PATH: parts.sandbox})  # type: ignore[method-assign]
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def build_services(settings: Settings) -> Parts:
    """Every part with its real collaborators; nothing is opened yet."""
    tables = Tables.of(Database(settings.store_url))
    keeping = Keeping.of(settings, tables.database)
    stand_in = sandbox.create_sandbox() if settings.builtin_sandbox else None
    server, sealer = vendor.authorization_server(settings, stand_in), Sealer(settings.encryption_keys)
    events = ConnectionEvents(tables.events, clock=clock)
    keeper, ticker = _token_care(settings, tables, server, sealer, events)
    connection = ConnectionStatus(tables.connections, clock=clock)
    # What several hosts tell each other by times in the rows goes by the one clock of their database.
    shared_clock = DatabaseClock(tables.database, local=clock)
    api = vendor.constant_contact(
        settings, stand_in, keeper, booked=lambda: tables.budget.note(shared_clock())
    )
    authorize = vendor.authorizing(keeper)
    permits = CallPermits(tables.budget, clock=shared_clock, authorize=authorize)
    lists = ListDirectory(vendor=api, connection=connection, meta=tables.meta, permits=permits, clock=clock)
    sender = Sender(vendor=api, permits=permits, clock=shared_clock)
    delivery = _delivery(tables, connection, lists, sender, authorize, shared_clock)

    def connected() -> None:
        # What paused under the old tokens says nothing about the new ones.
        tables.budget.resume()
        delivery.wake()

    account_of = vendor.account_of(api, permits)
    keeper.pin_account = AccountPin(tables.connections, account_of, clock=clock, on_event=events.record)
    connector = Connector(
        tables.connections,
        tables.oauth_attempts,
        server,
        sealer,
        clock=clock,
        scopes=SCOPES,
        pkce=settings.pkce,
        on_connected=connected,
        account_of=account_of,
        fingerprint=settings.fingerprint,
        on_event=events.record,
    )
    control = ConnectionControl(keeper, connector, tables.connections, sealer, on_refreshed=connected)
    tokens = TokenClock(tables.connections, clock=clock)
    forms = FormDirectory(tables.forms, clock=clock)
    services = Services(
        intake=_intake(settings, tables, keeping, connection, lists, forms, delivery, shared_clock),
        signups=SignupCare(records=tables.signup_records, deliveries=tables.deliveries, clock=clock),
        lists=lists,
        forms=forms,
        delivery=delivery,
        connection=connection,
        connection_control=control,
        tokens=tokens,
        events=tables.events.recent,
        health=_health(settings, tables, keeping, connection, delivery),
        housekeeping=_housekeeping(tables, keeping, delivery),
        metrics=_metrics(tables, connection, tokens),
        doctor=_doctor(settings, tables, keeping, connection, control, lists),
        admin=_admin(settings, tables),
        api_keys=ApiKeys(settings.api_keys),
        drain_token=DrainToken(settings.drain_token.get_secret_value()),
    )
    plant_seed = _seed(settings, tables, sealer, events)
    starting = ConnectLimit(tables.throttles, clock=clock)
    return Parts(services, connector, ticker, plant_seed, starting, tables.database, stand_in)


def _token_care(
    settings: Settings, tables: Tables, server: AuthorizationServer, sealer: Sealer, events: ConnectionEvents
) -> tuple[Keeper, Ticker]:
    keeper = Keeper(
        tables.connections,
        server,
        sealer,
        clock=clock,
        fingerprint=settings.fingerprint,
        rescue=RescueFile(settings.data_dir / RESCUE_FILE, sealer),
        on_event=events.record,
    )
    ticker = Ticker(keeper)
    keeper.on_soft = ticker.nudge
    return keeper, ticker


def _seed(settings: Settings, tables: Tables, sealer: Sealer, events: ConnectionEvents) -> Callable[[], None]:
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


def _health(
    settings: Settings,
    tables: Tables,
    keeping: Keeping,
    connection: ConnectionStatus,
    delivery: Delivery,
) -> Health:
    return Health(
        database=tables.database,
        spool=keeping.spool,
        salvage=keeping.salvage,
        disk=keeping.disk,
        deliveries=tables.deliveries,
        budget=tables.budget,
        connection=connection,
        silent_seconds=delivery.silent_seconds if settings.delivery == "thread" else None,
        warnings=settings.warnings(),
        version=VERSION,
        clock=clock,
    )


def _metrics(tables: Tables, connection: ConnectionStatus, tokens: TokenClock) -> Metrics:
    return Metrics(
        database=tables.database,
        connection=connection,
        tokens=tokens,
        deliveries=tables.deliveries,
        budget=tables.budget,
        clock=clock,
    )


def _doctor(
    settings: Settings,
    tables: Tables,
    keeping: Keeping,
    connection: ConnectionStatus,
    control: ConnectionControl,
    lists: ListDirectory,
) -> Doctor:
    return Doctor(
        _deployment(settings),
        database=tables.database,
        connection=connection,
        control=control,
        tokens=TokenClock(tables.connections, clock=clock),
        lists=lists,
        deliveries=tables.deliveries,
        budget=tables.budget,
        spool=keeping.spool,
        salvage=keeping.salvage,
        clock=clock,
    )


def _housekeeping(tables: Tables, keeping: Keeping, delivery: Delivery) -> Housekeeping:
    spooled, expiry = SpoolImport(tables.database, keeping.spool), Expiry(tables.database)
    retention = Retention(tables.database)

    def import_spool() -> None:
        if spooled.run().signups:
            delivery.wake()

    def tidy() -> None:
        tables.database.tidy(idle=not tables.deliveries.pending_up_to(1))

    tasks = [
        Task("spool", 5, import_spool),
        # Longer on a large database: a thousandth of the time is spent on it at most.
        Task("damage", 60, tables.database.look_for_damage, rest_factor=1_000),
        Task("tidy", 60, tidy),
        Task("expiry", 3_600, lambda: expiry.run(clock())),
        Task("retention", 3_600, lambda: retention.prune(clock())),
    ]
    if keeping.salvage is not None:
        tasks.append(Task("salvage", 5, keeping.salvage.run))
    return Housekeeping(tasks, clock)


def _admin(settings: Settings, tables: Tables) -> AdminAccess:
    return AdminAccess(
        password=settings.admin_password.get_secret_value(),
        secret_key=settings.secret_key.get_secret_value(),
        throttles=tables.throttles,
        spent_tokens=tables.spent_tokens,
        clock=clock,
    )


def _delivery(
    tables: Tables,
    connection: ConnectionStatus,
    lists: ListDirectory,
    sender: Sender,
    authorize: Callable[[], None],
    clock: Callable[[], int],
) -> Delivery:
    courier = Courier(
        deliveries=tables.deliveries,
        budget=tables.budget,
        connection=connection,
        authorize=authorize,
        sender=sender,
        clock=clock,
    )
    return Delivery(courier=courier, deliveries=tables.deliveries, lists=lists, clock=clock)


def _intake(
    settings: Settings,
    tables: Tables,
    keeping: Keeping,
    connection: ConnectionStatus,
    lists: ListDirectory,
    forms: FormDirectory,
    delivery: Delivery,
    clock: Callable[[], int],
) -> Intake:
    verdicts = Verdicts(
        signups=tables.signups,
        deliveries=tables.deliveries,
        budget=tables.budget,
        connection=connection,
        wait_seconds=settings.subscribe_wait_seconds,
        waiters=max(1, THREADS_PER_WORKER // 4),
        clock=clock,
    )
    return Intake(
        signups=tables.signups,
        spool=keeping.spool,
        spooled_before=SpoolImport(tables.database, keeping.spool),
        has_room=tables.database.has_room,
        lists=lists,
        forms=forms,
        delivery=delivery,
        verdicts=verdicts,
        public_list_ids=_public_lists(settings),
        clock=clock,
    )


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
    with suppress(OSError):
        # The rescue file needs a place also where PostgreSQL keeps everything else.
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        app.extensions["database"].prepare()
        app.extensions["plant_seed"]()
    except StoreError as error:
        # Not fatal: each use tries again, and /health says so meanwhile.
        log.critical("database_not_ready", error=type(error).__name__, problem=str(error))
    app.extensions["ticker"].start()
    # Also where others deliver: what this process spooled lies on its own disk.
    app.extensions["housekeeping_thread"].start()
    if settings.delivery == "thread":
        app.extensions["delivery_thread"].start()


def stop(app: Flask) -> None:
    """Finish the calls in flight, end the delivery and the care of the tokens."""
    app.extensions["delivery_thread"].stop()
    app.extensions["housekeeping_thread"].stop()
    app.extensions["ticker"].stop()


def _flask_config(settings: Settings, parts: Parts) -> dict[str, Any]:
    return {
        "VERSION": VERSION,
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
        "SANDBOX_PATH": vendor.SANDBOX_PATH if parts.sandbox else None,
    }


def _public_lists(settings: Settings) -> tuple[str, ...]:
    if not settings.public_list_ids and settings.uses_sandbox_application(sandbox.SANDBOX_CLIENT_ID):
        return (sandbox.PRESET_LIST_ID,)
    return settings.public_list_ids


if __name__ == "__main__":
    os.execvp(sys.executable, [sys.executable, "-m", "gunicorn", "app:create_app()"])  # noqa: S606 - fixed words
