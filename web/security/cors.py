"""Cross-origin calls by scripts of allowed sites: exact origins, no credentials, headers on errors too.

https://fetch.spec.whatwg.org/#http-cors-protocol. Not Flask-CORS: it takes its origins when the app is made,
and forms bring theirs while it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask, Response, request

from services.access.requester import ANONYMOUS
from web import error_answers
from web.security import guards

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
# https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
NO_ORIGIN = "null"
NO_ORIGIN_WORDS = (
    "The page that sends this has no origin of its own: it was opened from a file, or is in a sandboxed "
    "frame without allow-same-origin.",
    "Put it on a web server whose address is among the form's sites or in ALLOWED_ORIGINS.",
)


def install(app: Flask, allowed: Callable[[str], bool]) -> None:
    """Let scripts of those origins call what visitors' forms need, and tell those without one what to do."""

    @app.before_request
    def refuse_without_origin() -> Response | None:
        if request.method == "OPTIONS" or not request.path.startswith(PATHS) or not _without_origin():
            return None
        return error_answers.answer(403, *NO_ORIGIN_WORDS) if guards.asker() == ANONYMOUS else None

    @app.after_request
    def allow(answer: Response) -> Response:
        if not request.path.startswith(PATHS):
            return answer
        answer.vary.add("Origin")
        if request.method == "OPTIONS":
            answer.vary.add("Access-Control-Request-Headers")
        origin = request.headers.get("Origin")
        if origin is None or not (_without_origin() or allowed(origin)):
            return answer
        answer.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            answer.headers["Access-Control-Allow-Methods"] = METHODS
            answer.headers["Access-Control-Allow-Headers"] = _asked() or REQUEST_HEADERS
            answer.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        else:
            answer.headers["Access-Control-Expose-Headers"] = ANSWER_HEADERS
        return answer


def _without_origin() -> bool:
    """Whether a script of a page without an origin calls; a browser's form from there is as any other.

    The script may read the answer, a refusal or what the holder of a key is told: no cookie is read here. One
    that can read no answer (fetch with mode: "no-cors", sendBeacon) is as a form: it would not hear of a
    refusal, and the sign-up would be lost.
    """
    if request.headers.get("Origin") != NO_ORIGIN or request.headers.get("Sec-Fetch-Mode") == "no-cors":
        return False
    return not error_answers.wants_page()


def _asked() -> str | None:
    asked = request.headers.get("Access-Control-Request-Headers", "").strip()
    return asked if len(asked) <= LONGEST_ASKED and ASKED_HEADERS.fullmatch(asked) else None
