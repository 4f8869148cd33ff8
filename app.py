"""The application: the wired parts behind the web. Importing this module starts nothing.

`create_app` does no input or output beyond reading the settings: the database is opened, and migrated, at its
first use, and Constant Contact is called when there is something to send.
"""

import os
import sys
from typing import Any

import click
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import logs
import sandbox
import web
from commands import register_commands
from oauth.routes import create_blueprint
from settings import Settings, SettingsError
from store.errors import StoreError, StoreMisconfigured
from web.errors import storage_unavailable
from web.security.addresses import base_url, base_url_elsewhere, known_base_url
from web.security.forwarded import Forwarded
from web.security.guards import require_admin
from web.security.sandbox_guard import SandboxGuard
from wiring import Parts, build_services
from wiring.access import SESSION_LIFETIME
from wiring.constant_contact import SANDBOX_PATH
from wiring.forms import public_lists
from wiring.operations import CALLBACK_PATH, VERSION

BODY_LIMIT = 64 * 1024


def create_app(settings: Settings | None = None, parts: Parts | None = None) -> Flask:
    """Return the WSGI application. Raise SettingsError with every problem of the environment at once."""
    settings = settings or Settings.from_env()
    logs.configure(production=settings.production)
    parts = parts or build_services(settings)
    app = Flask(__name__)
    app.extensions["settings"] = settings
    app.extensions["parts"] = parts
    app.config.update(_flask_config(settings, parts))
    web.register(app, parts.services)
    app.register_blueprint(
        create_blueprint(
            parts.connection.connector,
            guard=require_admin,
            starting=parts.access.connect_limit,
            elsewhere=base_url_elsewhere,
            redirect_uri=lambda: f"{base_url()}{CALLBACK_PATH}",
            home=lambda: f"{known_base_url() or ''}/admin/",
        )
    )
    app.register_error_handler(StoreError, storage_unavailable)
    register_commands(app)
    if parts.vendor.sandbox is not None:
        guarded = SandboxGuard(app, parts.vendor.sandbox.wsgi_app, granted=sandbox.CONTROL_GRANTED)
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {SANDBOX_PATH: guarded})  # type: ignore[method-assign]
    watch = parts.access.proxy_watch if settings.production else None
    app.wsgi_app = Forwarded(app.wsgi_app, parts.access.proxy_rules, watch)  # type: ignore[method-assign]
    return app


def app_for_commands() -> Flask:
    """Return the app for `flask`, as .flaskenv says; print why it cannot start, without a traceback."""
    for argument in sys.argv:
        try:
            argument.encode()
        except UnicodeEncodeError:
            # Python decodes bytes that are not UTF-8 to lone surrogates, which nothing can store or look up.
            click.echo(f"This is not valid text in UTF-8: {argument!a}", err=True)
            raise SystemExit(2) from None
    try:
        return create_app()
    except (SettingsError, StoreMisconfigured) as error:
        # Not an exception of click's: where Flask lists the commands it prints the traceback of any.
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


def _flask_config(settings: Settings, parts: Parts) -> dict[str, Any]:
    return {
        "VERSION": VERSION,
        "SECRET_KEY": parts.access.keys.session_cookie,
        "WTF_CSRF_SECRET_KEY": parts.access.keys.csrf_token,
        "MAX_CONTENT_LENGTH": BODY_LIMIT,
        "MAX_FORM_MEMORY_SIZE": BODY_LIMIT,
        "SESSION_COOKIE_NAME": "subscriber_sync",
        "SESSION_COOKIE_SECURE": settings.secure_cookies,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": SESSION_LIFETIME,
        "PUBLIC_BASE_URL": settings.public_base_url,
        "PRODUCTION": settings.production,
        "ALLOWED_ORIGINS": settings.allowed_origins,
        "PUBLIC_LIST_IDS": public_lists(settings),
        "SANDBOX_PATH": SANDBOX_PATH if parts.vendor.sandbox else None,
    }


if __name__ == "__main__":
    os.execvp(sys.executable, [sys.executable, "-m", "gunicorn", "app:create_app()"])  # noqa: S606 - fixed words
