"""The application: the wired parts behind the web. Importing this module starts nothing.

`create_app` does no input or output beyond reading the settings: the database is opened, and migrated, at its
first use, and Constant Contact is called when there is something to say.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import click
import structlog
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import logs
import sandbox
import web
from commands import register_commands
from oauth.routes import create_blueprint
from services.access.admin import SESSION_LIVES_MS
from services.delivery.thread import DeliveryThread
from services.operations.housekeeping import HousekeepingThread
from services.plain_text import HALF
from settings import Settings, SettingsError
from store.errors import StoreError, StoreMisconfigured
from wiring import clock
from wiring import constant_contact as vendor
from wiring.build import Parts, build_services
from wiring.forms import public_lists
from wiring.proxies import proxy_rules
from wiring.signing import derived_keys
from wiring.words import CALLBACK_PATH, VERSION

__all__ = ["VERSION", "build_services", "clock", "create_app", "start", "stop"]

BODY_LIMIT = 64 * 1024
# An upgrade is over by then, unless a dump or the like is in its way.
OPENING_SECONDS = 5.0
SERVING_PATIENCE_SECONDS = 0.8
OPEN_AGAIN_SECONDS = 5.0

log = structlog.get_logger(__name__)


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
            elsewhere=web.base_url_elsewhere,
            redirect_uri=lambda: f"{web.base_url()}{CALLBACK_PATH}",
            home=lambda: f"{web.known_base_url() or ''}/admin/",
        )
    )
    app.register_error_handler(StoreError, web.errors.storage_unavailable)
    register_commands(app)
    app.extensions["delivery_thread"] = DeliveryThread(parts.services.delivery)
    app.extensions["housekeeping_thread"] = HousekeepingThread(parts.services.housekeeping)
    app.extensions["ticker"] = parts.ticker
    app.extensions["plant_seed"] = parts.plant_seed
    app.extensions["refresh_keys"] = parts.refresh_keys
    app.extensions["database"] = parts.database
    app.extensions["stopping"] = threading.Event()
    if parts.sandbox is not None:
        guarded = web.SandboxGuard(app, parts.sandbox.wsgi_app, granted=sandbox.CONTROL_GRANTED)
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {vendor.SANDBOX_PATH: guarded})  # type: ignore[method-assign]
    watch = parts.proxy_watch if settings.production else None
    app.wsgi_app = web.Forwarded(app.wsgi_app, proxy_rules(settings), watch)  # type: ignore[method-assign]
    return app


def app_for_commands() -> Flask:
    """The app for `flask`, as .flaskenv says: what keeps it from starting is told without a traceback."""
    # Python keeps bytes that are no UTF-8 as half characters, which nothing can store or look up.
    for argument in sys.argv:
        if HALF.search(argument):
            click.echo(f"This is not valid text in UTF-8: {argument!a}", err=True)
            raise SystemExit(2)
    try:
        return create_app()
    except (SettingsError, StoreMisconfigured) as error:
        # Not an exception of click's: where Flask lists the commands it prints the traceback of any.
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


def start(app: Flask) -> None:
    """What a serving process begins after its fork: migrate the database, tend the tokens, deliver."""
    settings: Settings = app.extensions["settings"]
    for warning in settings.warnings():
        log.critical("settings_warning", problem=warning.sentence)
    if not settings.production:
        for weakness in settings.weak_secrets():
            log.warning("weak_secret", problem=weakness, cure="production does not start with it")
    with suppress(OSError):
        # The rescue file needs a place also where PostgreSQL keeps everything else.
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = app.extensions["database"]
    database.patience_seconds = OPENING_SECONDS
    opened = _open(app)
    # From here on a sign-up that finds the database being upgraded goes to the spool.
    database.patience_seconds = SERVING_PATIENCE_SECONDS
    if not opened:
        threading.Thread(target=_open_later, args=(app,), name="open-later", daemon=True).start()
    app.extensions["ticker"].start()
    # Also where others deliver: what this process spooled lies on its own disk.
    app.extensions["housekeeping_thread"].start()
    if settings.delivery == "thread":
        app.extensions["delivery_thread"].start()


def _open(app: Flask, *, tell: bool = True) -> bool:
    """Migrate the database and see to what it keeps for a start; whether that was possible."""
    try:
        app.extensions["database"].prepare()
        app.extensions["plant_seed"]()
        app.extensions["refresh_keys"]()
    except StoreError as error:
        # Not fatal: each use tries again, and /health says so meanwhile.
        if tell:
            log.critical("database_not_ready", error=type(error).__name__, problem=str(error))
        return False
    return True


def _open_later(app: Flask) -> None:
    while not app.extensions["stopping"].wait(OPEN_AGAIN_SECONDS):
        if _open(app, tell=False):
            log.info("database_ready")
            return


def stop(app: Flask) -> None:
    """Finish the calls in flight, end the delivery and the care of the tokens."""
    app.extensions["stopping"].set()
    app.extensions["delivery_thread"].stop()
    app.extensions["housekeeping_thread"].stop()
    app.extensions["ticker"].stop()


def _flask_config(settings: Settings, parts: Parts) -> dict[str, Any]:
    keys = derived_keys(settings)
    return {
        "VERSION": VERSION,
        "SECRET_KEY": keys.session_cookie,
        "WTF_CSRF_SECRET_KEY": keys.csrf_token,
        "MAX_CONTENT_LENGTH": BODY_LIMIT,
        "MAX_FORM_MEMORY_SIZE": BODY_LIMIT,
        "SESSION_COOKIE_NAME": "subscriber_sync",
        "SESSION_COOKIE_SECURE": settings.secure_cookies,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": timedelta(milliseconds=SESSION_LIVES_MS),
        "PUBLIC_BASE_URL": settings.public_base_url,
        "PRODUCTION": settings.production,
        "ALLOWED_ORIGINS": settings.allowed_origins,
        "PUBLIC_LIST_IDS": public_lists(settings),
        "SANDBOX_PATH": vendor.SANDBOX_PATH if parts.sandbox else None,
    }


if __name__ == "__main__":
    os.execvp(sys.executable, [sys.executable, "-m", "gunicorn", "app:create_app()"])  # noqa: S606 - fixed words
