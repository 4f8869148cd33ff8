"""CORS for scripts of allowed sites: exact origins, no credentials, headers on error answers as well.

https://fetch.spec.whatwg.org/#http-cors-protocol. Flask-CORS is not used: it takes its origins when the
app is made, and forms add theirs while it runs.
"""

import re
from collections.abc import Callable

from flask import Flask, Response, request

from services.access.requester import ANONYMOUS
from web import error_answers
from web.security import guards

# By path and not by view, so that a 404 below these paths has the headers as well.
PATHS = ("/subscribe", "/signups/", "/forms/")
METHODS = "GET, POST"
# Allowed when a preflight names no header; "*" would not cover Authorization.
DEFAULT_REQUEST_HEADERS = "content-type, idempotency-key, prefer"
# Headers that a preflight may name: tokens with commas (RFC 9110 §5.6.2). Any is allowed, since no cookie is
# read here: libraries add headers of their own (X-Requested-With, HX-Current-URL, traceparent).
HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
LONGEST_HEADER_NAMES = 2_000
EXPOSED_HEADERS = "HX-Redirect, Location, Preference-Applied, Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = "3600"
# https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
OPAQUE_ORIGIN = "null"
OPAQUE_ORIGIN_REFUSED = (
    "The page that sends this has no origin of its own: it was opened from a file, or is in a sandboxed "
    "frame without allow-same-origin.",
    "Put it on a web server whose address is among the form's sites or in ALLOWED_ORIGINS.",
)


def install(app: Flask, allowed: Callable[[str], bool]) -> None:
    """Let scripts of origins that are `allowed` call PATHS; answer 403 to those of an opaque origin."""

    @app.before_request
    def refuse_opaque_origin() -> Response | None:
        if request.method == "OPTIONS" or not request.path.startswith(PATHS) or not _from_opaque_origin():
            return None
        return error_answers.answer(403, *OPAQUE_ORIGIN_REFUSED) if guards.requester() == ANONYMOUS else None

    @app.after_request
    def allow(answer: Response) -> Response:
        if not request.path.startswith(PATHS):
            return answer
        answer.vary.add("Origin")
        if request.method == "OPTIONS":
            answer.vary.add("Access-Control-Request-Headers")
        origin = request.headers.get("Origin")
        if origin is None or not (_from_opaque_origin() or allowed(origin)):
            return answer
        answer.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            answer.headers["Access-Control-Allow-Methods"] = METHODS
            answer.headers["Access-Control-Allow-Headers"] = _requested_headers() or DEFAULT_REQUEST_HEADERS
            answer.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        else:
            answer.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        return answer


def _from_opaque_origin() -> bool:
    """Return whether a script of a page with an opaque origin calls and can read the answer.

    It may read the 403 or, with an API key, the result: no cookie is read here. A plain form of such a page
    is taken like any other. So is a script that cannot read the answer (fetch with mode: "no-cors",
    sendBeacon): it would not learn of the 403, and the sign-up would be lost.
    """
    if request.headers.get("Origin") != OPAQUE_ORIGIN or request.headers.get("Sec-Fetch-Mode") == "no-cors":
        return False
    return not error_answers.wants_page()


def _requested_headers() -> str | None:
    names = request.headers.get("Access-Control-Request-Headers", "").strip()
    return names if len(names) <= LONGEST_HEADER_NAMES and HEADER_NAMES.fullmatch(names) else None
