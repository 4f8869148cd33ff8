"""Cross-origin calls by scripts of allowed sites: exact origins, no credentials, headers on errors too.

https://fetch.spec.whatwg.org/#http-cors-protocol. Not Flask-CORS: it takes its origins when the app is made,
and forms bring theirs while it runs.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, request

# By address and not by view: an address that leads nowhere answers with the headers as well.
PATHS = ("/subscribe", "/signups/", "/forms/")
METHODS = "GET, POST"
REQUEST_HEADERS = "content-type, idempotency-key, prefer"
ANSWER_HEADERS = "Location, Preference-Applied, Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = "3600"


def install(app: Flask, allowed: Callable[[str], bool]) -> None:
    """Let scripts of those origins call what visitors' forms need."""

    @app.after_request
    def allow(answer: Response) -> Response:
        if not request.path.startswith(PATHS):
            return answer
        answer.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin is None or not allowed(origin):
            return answer
        answer.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            answer.headers["Access-Control-Allow-Methods"] = METHODS
            answer.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
            answer.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        else:
            answer.headers["Access-Control-Expose-Headers"] = ANSWER_HEADERS
        return answer
