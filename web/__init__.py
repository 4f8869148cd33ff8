"""The web layer: blueprints, guards, error answers and headers. A view holds no rules."""

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from services import Services
from web import admin, errors, request_log, times
from web.admin.sign_in import sign_in_by_link
from web.api import openapi
from web.api import status as api
from web.paths import TolerantPaths, first_segments
from web.public import embed, forms, links, site, static_files, subscribe
from web.security import compression, cors, headers
from web.security.addresses import may_call
from web.security.sessions import CookieSessions


def register(app: Flask, services: Services) -> None:
    """Register every page, guard and error handler on the app. Reads app.config; opens nothing."""
    app.extensions["services"] = services
    app.session_interface = CookieSessions()
    # A session ends twelve hours after the sign-in, not after the last request; and no page for visitors sets
    # a cookie.
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    # A CSRF token is valid as long as the session, so that a page left open for hours can still be sent.
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    request_log.install(app)
    headers.install(app)
    cors.install(app, may_call)
    errors.install(app)
    times.install(app)
    links.install(app)
    static_files.install(app)
    compression.install(app)
    csrf = CSRFProtect(app)
    # The first two are called without a session; the third checks its token itself.
    csrf.exempt(subscribe.blueprint)
    csrf.exempt(api.drain)
    csrf.exempt(sign_in_by_link)
    public = [part.blueprint for part in (site, embed, subscribe, forms, api, openapi)]
    for blueprint in (*public, admin.blueprint):
        app.register_blueprint(blueprint)
    tolerant = first_segments(app.url_map, [blueprint.name for blueprint in public])
    app.wsgi_app = TolerantPaths(app.wsgi_app, tolerant)  # type: ignore[method-assign]
