"""The client's address, scheme and host as trusted proxies report them; nobody else is believed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from services.access.proxies import FORWARDED_HEADERS, ProxyRules
from services.access.proxy_watch import ProxyWatch

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The connection's peer, and whether any forwarding header came: for checks that must not rely on headers.
PEER = "subscriber_sync.peer"
WAS_FORWARDED = "subscriber_sync.was_forwarded"


class Forwarded:
    """Middleware that applies X-Forwarded-* when the connection's peer is one of our proxies."""

    def __init__(self, app: WSGIApplication, rules: ProxyRules, watch: ProxyWatch | None) -> None:
        """`watch` records what each request shows of a wrong number of proxies; None in development."""
        self._app = app
        self._with_headers = ProxyFix(app, x_for=rules.hops, x_proto=rules.hops, x_host=rules.hops)
        self._rules = rules
        self._watch = watch

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does to the request with its real address, scheme and host."""
        peer = environ.get("REMOTE_ADDR", "")
        environ[PEER] = peer
        environ[WAS_FORWARDED] = any(environ.get(header) for header in FORWARDED_HEADERS)
        if self._watch is not None:
            self._watch.note(self._rules.look(environ))
        return (self._with_headers if self._rules.believes(peer) else self._app)(environ, start_response)
