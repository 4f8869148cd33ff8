"""Which exception is answered with which status and sentences."""

import structlog
from flask import Flask, Response
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from services.errors import (
    InvalidSubmission,
    KeyReused,
    ListsUnavailable,
    MalformedSubmission,
    StorageUnavailable,
    TooManyAttempts,
)
from web.error_answers import WORDS, answer, later
from web.security.addresses import AddressUnknown, base_url_elsewhere
from web.security.guards import KeyMisplaced

log = structlog.get_logger(__name__)

PASSED_ON_HEADERS = ("Allow", "Retry-After")
STORE_RETRY_SECONDS = 30
LISTS_RETRY_SECONDS = 60

ADDRESS_UNKNOWN = (
    "This service does not know its own address.",
    "Set PUBLIC_BASE_URL to the https:// address that visitors use, and start it again.",
)
OTHER_STATUS = ("The request was refused.", "Check it and send it again.")
KEY_MISPLACED = (
    "The key was not sent where this service reads it.",
    'Send the key as "Authorization: Bearer <key>".',
)
CSRF_FAILED = (
    "The page was open for too long, or the browser sent no cookie.",
    "Load the page again and repeat. In an embedded preview, open it in a tab of its own.",
)
OTHER_ADDRESS = (
    "If this is not {base}, open {base}/admin/ instead: that is the address in PUBLIC_BASE_URL, and cookies "
    "may be kept for it alone."
)


def install(app: Flask) -> None:
    """Register a handler for every exception; Flask takes the most specific one."""
    app.register_error_handler(Exception, _unexpected)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(
        KeyMisplaced, lambda _: answer(401, *KEY_MISPLACED, headers={"WWW-Authenticate": "Bearer"})
    )
    app.register_error_handler(AddressUnknown, lambda _: answer(503, *ADDRESS_UNKNOWN))
    app.register_error_handler(CSRFError, _csrf_failed)
    app.register_error_handler(MalformedSubmission, lambda error: answer(400, str(error), WORDS[400][1]))
    app.register_error_handler(
        InvalidSubmission,
        lambda error: answer(422, str(error), WORDS[422][1], errors=error.errors, ignored=error.ignored),
    )
    app.register_error_handler(KeyReused, lambda error: answer(409, str(error), WORDS[409][1]))
    app.register_error_handler(StorageUnavailable, lambda error: later(503, str(error), error.retry_after))
    app.register_error_handler(TooManyAttempts, lambda error: later(429, str(error), error.retry_after))
    app.register_error_handler(ListsUnavailable, lambda error: later(503, str(error), LISTS_RETRY_SECONDS))


def storage_unavailable(error: Exception) -> Response:
    """Answer 503 for a database that failed outside the intake; log the exception's type only."""
    log.error("storage_unavailable", error=type(error).__name__)
    return later(503, "The database cannot be used at the moment.", STORE_RETRY_SECONDS)


def _csrf_failed(_: CSRFError) -> Response:
    happened, cure = CSRF_FAILED
    public = base_url_elsewhere()
    return answer(400, happened, f"{cure} {OTHER_ADDRESS.format(base=public)}" if public else cure)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name in PASSED_ON_HEADERS}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return answer(status, *WORDS.get(status, OTHER_STATUS), headers=headers)


def _unexpected(error: Exception) -> Response:
    # exc_info logs files, lines and the exception's text, and no local variables, which hold personal data.
    log.error("unhandled_error", error=type(error).__name__, exc_info=error)
    return answer(500, *WORDS[500])
