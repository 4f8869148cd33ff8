"""Accept public addresses in capitals and with needless slashes, without a redirect.

A redirect would cost a POST its body in older clients, and a preflight may not be redirected at all:
https://fetch.spec.whatwg.org/#http-network-or-cache-fetch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from werkzeug.routing import Map

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Variables of URL rules whose values are lower case. A rule with any other variable, such as a signed token,
# leaves all addresses with the same first segment unchanged.
LOWER_CASE_VARIABLES = frozenset({"slug", "signup_id"})


class TolerantPaths:
    """Middleware that lower-cases a public path and removes needless slashes before it is routed."""

    def __init__(self, app: WSGIApplication, tolerant: Collection[str]) -> None:
        """`tolerant` are the first path segments to normalise; all other paths are handed on unchanged."""
        self._app = app
        self._tolerant = frozenset(tolerant)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does to the normalised path."""
        segments = [_lower(segment) for segment in environ.get("PATH_INFO", "").split("/") if segment]
        if segments and segments[0] in self._tolerant:
            environ["PATH_INFO"] = "/" + "/".join(segments)
        return self._app(environ, start_response)


def first_segments(rules: Map, blueprints: Collection[str]) -> frozenset[str]:
    """Return the first path segments of those blueprints, except where capitals count further on."""
    tolerant: set[str] = set()
    exact: set[str] = set()
    for rule in rules.iter_rules():
        first = rule.rule.split("/")[1]
        lower_case = rule.endpoint.partition(".")[0] in blueprints and rule.arguments <= LOWER_CASE_VARIABLES
        (tolerant if lower_case else exact).add(first)
    return frozenset(tolerant - exact - {""})


def _lower(segment: str) -> str:
    # WSGI hands over bytes as Latin-1 (PEP 3333): str.lower would change the bytes of letters beyond ASCII.
    return segment.encode("latin-1").lower().decode("latin-1")
