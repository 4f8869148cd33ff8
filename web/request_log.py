"""Log one line per request, without secrets: no query string, no token, no sign-up id."""

import re
import ssl
import time

import structlog
from flask import Flask, Response, g, request

log = structlog.get_logger(__name__)

REQUEST_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def install(app: Flask) -> None:
    """Log each request with an id, the caller's X-Request-Id or a new one, and send the id back."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if REQUEST_ID.fullmatch(given) else ssl.RAND_bytes(16).hex()
        g.began = time.monotonic()
        # The thread still has the values of the request that it served before.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(answer: Response) -> Response:
        answer.headers["X-Request-Id"] = g.request_id
        log.info(
            "request",
            method=request.method,
            path=_loggable_path(),
            status=answer.status_code,
            ms=round((time.monotonic() - g.began) * 1000),
        )
        return answer


def _loggable_path() -> str:
    """Return the URL rule; without one the path's first segment only: the rest may be a mistyped secret."""
    if request.url_rule is not None:
        return request.url_rule.rule
    first, _, rest = request.path.lstrip("/").partition("/")
    return f"/{first[:50]}/…" if rest else f"/{first[:50]}"
