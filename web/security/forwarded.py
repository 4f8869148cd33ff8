"""Which address, scheme and host a request really has: what the proxies in front say, and nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from services.access.proxies import FORWARDED_HEADERS, ProxyRules
from services.access.proxy_watch import ProxyWatch

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Who opened the connection, and whether anything was forwarded: for what must not take a header's word.
PEER = "subscriber_sync.peer"
WAS_FORWARDED = "subscriber_sync.was_forwarded"


class Forwarded:
    """Puts the visitor's address, scheme and host in place, where whoever called is one of our proxies."""

    def __init__(self, app: WSGIApplication, rules: ProxyRules, watch: ProxyWatch | None) -> None:
        """`watch` is told what each request shows; None in development."""
        self._app = app
        self._believing = ProxyFix(app, x_for=rules.hops, x_proto=rules.hops, x_host=rules.hops)
        self._rules = rules
        self._watch = watch

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does."""
        peer = environ.get("REMOTE_ADDR", "")
        environ[PEER] = peer
        environ[WAS_FORWARDED] = any(environ.get(header) for header in FORWARDED_HEADERS)
        if self._watch is not None:
            self._watch.note(self._rules.look(environ))
        return (self._believing if self._rules.believes(peer) else self._app)(environ, start_response)
