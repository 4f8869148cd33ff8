"""The application: the wired parts behind the web. Importing this module starts nothing.

`create_app` does no input or output beyond reading the settings: the database is opened, and migrated, at its
first use, and Constant Contact is called when there is something to say.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import logs
import sandbox
import vendor
import web
from cli import register_commands
from oauth.routes import create_blueprint
from services import SESSION_LIVES_MS, HousekeepingThread
from services.delivery import DeliveryThread
from settings import Settings
from store import StoreError
from wiring import (
    CALLBACK_PATH,
    VERSION,
    Parts,
    build_services,
    clock,
    derived_keys,
    proxy_rules,
    public_lists,
)

__all__ = ["VERSION", "build_services", "clock", "create_app", "start", "stop"]

BODY_LIMIT = 64 * 1024

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
    app.extensions["refresh_keys"] = parts.refresh_keys
    app.extensions["database"] = parts.database
    if parts.sandbox is not None:
        guarded = web.SandboxGuard(app, parts.sandbox.wsgi_app, granted=sandbox.CONTROL_GRANTED)
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {vendor.SANDBOX_PATH: guarded})  # type: ignore[method-assign]
    watch = parts.proxy_watch if settings.production else None
    app.wsgi_app = web.Forwarded(app.wsgi_app, proxy_rules(settings), watch)  # type: ignore[method-assign]
    return app


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
    try:
        app.extensions["database"].prepare()
        app.extensions["plant_seed"]()
        app.extensions["refresh_keys"]()
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
        "ALLOWED_ORIGINS": settings.allowed_origins,
        "PUBLIC_LIST_IDS": public_lists(settings),
        "SANDBOX_PATH": vendor.SANDBOX_PATH if parts.sandbox else None,
    }


if __name__ == "__main__":
    os.execvp(sys.executable, [sys.executable, "-m", "gunicorn", "app:create_app()"])  # noqa: S606 - fixed words
