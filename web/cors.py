"""Cross-origin calls by scripts of allowed sites: exact origins, no credentials, headers on errors too.

https://fetch.spec.whatwg.org/#http-cors-protocol. Not Flask-CORS: it takes its origins when the app is made,
and forms bring theirs while it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask, Response, request

# By address and not by view: an address that leads nowhere answers with the headers as well.
PATHS = ("/subscribe", "/signups/", "/forms/")
METHODS = "GET, POST"
# For who does not ask by name; "*" would not cover Authorization.
REQUEST_HEADERS = "content-type, idempotency-key, prefer"
# What a script may ask for by name: tokens with commas (RFC 9110 §5.6.2). Any is allowed, since no cookie is
# read here: libraries add headers of their own (X-Requested-With, HX-Current-URL, traceparent).
ASKED_HEADERS = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
LONGEST_ASKED = 2_000
ANSWER_HEADERS = "HX-Redirect, Location, Preference-Applied, Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = "3600"


def install(app: Flask, allowed: Callable[[str], bool]) -> None:
    """Let scripts of those origins call what visitors' forms need."""

    @app.after_request
    def allow(answer: Response) -> Response:
        if not request.path.startswith(PATHS):
            return answer
        answer.vary.add("Origin")
        if request.method == "OPTIONS":
            answer.vary.add("Access-Control-Request-Headers")
        origin = request.headers.get("Origin")
        if origin is None or not allowed(origin):
            return answer
        answer.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            answer.headers["Access-Control-Allow-Methods"] = METHODS
            answer.headers["Access-Control-Allow-Headers"] = _asked() or REQUEST_HEADERS
            answer.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        else:
            answer.headers["Access-Control-Expose-Headers"] = ANSWER_HEADERS
        return answer


def _asked() -> str | None:
    asked = request.headers.get("Access-Control-Request-Headers", "").strip()
    return asked if len(asked) <= LONGEST_ASKED and ASKED_HEADERS.fullmatch(asked) else None
