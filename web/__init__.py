"""HTTP in, pages out: blueprints, guards, error answers, headers. Views hold no rules of their own."""

from __future__ import annotations

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from services import Services
from web import admin, errors, request_log, times
from web.admin.sign_in import sign_in_by_link
from web.api import openapi
from web.api import status as api
from web.paths import TolerantPaths, public_parts
from web.public import embed, forms, links, site, subscribe
from web.security import cors, guards, headers
from web.security.addresses import base_url, base_url_elsewhere, known_base_url, may_call
from web.security.forwarded import Forwarded
from web.security.sandbox_guard import SandboxGuard
from web.security.sessions import CookieSessions

__all__ = [
    "Forwarded",
    "SandboxGuard",
    "base_url",
    "base_url_elsewhere",
    "errors",
    "guards",
    "known_base_url",
    "register",
]


def register(app: Flask, services: Services) -> None:
    """Put every page, guard and error answer of the web layer on the app; reads app.config, opens nothing."""
    app.extensions["services"] = services
    app.session_interface = CookieSessions()
    # Twelve hours from the sign-in, not from the last click; and a page for visitors never carries a cookie.
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    # A page left open over lunch still works: its token lives as long as the session.
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    request_log.install(app)
    headers.install(app)
    cors.install(app, may_call)
    errors.install(app)
    times.install(app)
    links.install(app)
    csrf = CSRFProtect(app)
    csrf.exempt(subscribe.blueprint)
    csrf.exempt(api.drain)
    csrf.exempt(sign_in_by_link)
    public = [part.blueprint for part in (site, embed, subscribe, forms, api, openapi)]
    for blueprint in (*public, admin.blueprint):
        app.register_blueprint(blueprint)
    parts = public_parts(app.url_map, [blueprint.name for blueprint in public])
    app.wsgi_app = TolerantPaths(app.wsgi_app, parts)  # type: ignore[method-assign]
