"""The guard of the built-in sandbox's control routes, which show every contact in it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.wrappers import Response

from web.security import forwarded, guards

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL = "/_sandbox"
REFUSAL = '{"error": "only this machine and admins control the sandbox: sign in at /admin/"}\n'


class SandboxGuard:
    """Middleware before the mounted sandbox: only this machine and admins reach its control routes."""

    def __init__(self, app: Flask, sandbox: WSGIApplication, *, granted: str) -> None:
        """`granted` is the key in the WSGI environment that tells the sandbox that access was checked."""
        self._app = app
        self._sandbox = sandbox
        self._granted = granted

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the sandbox does, or 403."""
        if CONTROL in environ.get("PATH_INFO", ""):
            if not (_from_this_machine(environ) or self._from_admin(environ)):
                refused = Response(REFUSAL, HTTPStatus.FORBIDDEN, mimetype="application/json")
                return refused(environ, start_response)
            environ[self._granted] = True
        return self._sandbox(environ, start_response)

    def _from_admin(self, environ: WSGIEnvironment) -> bool:
        with self._app.request_context(dict(environ)):
            return guards.is_admin()


def _from_this_machine(environ: WSGIEnvironment) -> bool:
    """Judge by the connection's peer, never by a header; a proxy on this machine forwards any request."""
    try:
        peer = ipaddress.ip_address(environ.get(forwarded.PEER, ""))
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if peer.version == 6 else None
    return (mapped or peer).is_loopback and not environ[forwarded.WAS_FORWARDED]
