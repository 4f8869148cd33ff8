"""Public addresses as people type them: capitals and needless slashes change nothing, without a redirect.

A redirect would cost a POST its body in older clients, and a preflight may not be redirected at all:
https://fetch.spec.whatwg.org/#http-network-or-cache-fetch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from werkzeug.routing import Map

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The parts of addresses whose capitals mean nothing. What else a rule has for a part, such as a signed token,
# keeps all addresses with the same beginning as they came.
WITHOUT_CAPITALS = frozenset({"slug", "signup_id"})


class TolerantPaths:
    """Puts a public address in lower case, with single slashes and none at its end, before it is routed."""

    def __init__(self, app: WSGIApplication, public: Collection[str]) -> None:
        """`public` are the first parts of the addresses to tend; all others are handed on as they came."""
        self._app = app
        self._public = frozenset(public)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does."""
        parts = [_lower(part) for part in environ.get("PATH_INFO", "").split("/") if part]
        if parts and parts[0] in self._public:
            environ["PATH_INFO"] = "/" + "/".join(parts)
        return self._app(environ, start_response)


def public_parts(rules: Map, blueprints: Collection[str]) -> frozenset[str]:
    """The first parts of those blueprints' addresses, but for what has parts whose capitals count."""
    found: set[str] = set()
    kept: set[str] = set()
    for rule in rules.iter_rules():
        first = rule.rule.split("/")[1]
        public = rule.endpoint.partition(".")[0] in blueprints and rule.arguments <= WITHOUT_CAPITALS
        (found if public else kept).add(first)
    return frozenset(found - kept - {""})


def _lower(part: str) -> str:
    # WSGI hands over bytes as Latin-1 (PEP 3333): str.lower would change the bytes of letters beyond ASCII.
    return part.encode("latin-1").lower().decode("latin-1")
