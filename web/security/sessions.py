"""Flask's signed cookie, with one signer for all requests: making one costs more than most pages."""

from __future__ import annotations

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer


class CookieSessions(SecureCookieSessionInterface):
    """The sessions of one app; its SECRET_KEY does not change while it runs."""

    def __init__(self) -> None:
        self._signer: URLSafeTimedSerializer | None = None

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of the cookie; a visitor without cookies has an empty one, and nothing is read."""
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """The signer, made at the first request."""
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer
