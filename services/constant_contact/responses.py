"""Turn an answer of Constant Contact into a typed failure.

A proxy may answer in the vendor's place. So a refusal counts only in one of the vendor's three error shapes.
Everything else is Unreachable: the outcome is unknown, and no sign-up is judged by it.
"""

import json
import re
from typing import NoReturn
from urllib.parse import urlsplit

import requests

from services.constant_contact.errors import (
    Conflict,
    ConstantContactError,
    Forbidden,
    Misconfigured,
    QuotaExceeded,
    Rejected,
    ServerFault,
    Throttled,
    Unauthorized,
    Unreachable,
)
from services.constant_contact.fields import unlike
from services.plain_text import mended, through

# The largest answers are pages of 500 lists or contacts, far below this.
LARGEST_BODY = 2 * 1024 * 1024
HOST = re.compile(r"[A-Za-z0-9.-]{1,100}")
BY_STATUS: dict[int, type[ConstantContactError]] = {
    400: Rejected,
    401: Unauthorized,
    403: Forbidden,
    404: Misconfigured,
    405: Misconfigured,
    406: Misconfigured,
    409: Conflict,
    415: Misconfigured,
}


def failure(response: requests.Response) -> ConstantContactError:
    """Return the typed failure for an answer that is not the expected success."""
    said = _said(response)
    key, detail = said or (None, None)
    if response.status_code == 429:
        return (QuotaExceeded if key == "quota_exceeded" else Throttled)(key=key, detail=detail)
    if response.status_code >= 500:
        return ServerFault(key=key, detail=detail)
    if said is None or response.status_code < 400:
        return not_theirs(response)
    # Another status is the API's only with an error key; a gateway in front of it sends messages alone.
    kind = BY_STATUS.get(response.status_code) or (Rejected if key else None)
    return kind(key=key, detail=detail) if kind else not_theirs(response)


def not_theirs(response: requests.Response, what: str | None = None) -> Unreachable:
    """Return Unreachable for an answer that is not Constant Contact's; `what` says why, else its body."""
    return unlike(f"status {response.status_code}, {what or _kind(response)}")


def json_object(response: requests.Response) -> dict[str, object]:
    """Return the body as a JSON object.

    Raises:
        Unreachable: it is something else, so a proxy or an outage page answered and the outcome is unknown.
    """
    document = json_body(response)
    if not isinstance(document, dict):
        raise not_theirs(response)
    return document


def json_body(response: requests.Response) -> object:
    """Return the body's JSON with only storable text, None where it cannot be read."""
    if len(response.content) > LARGEST_BODY:
        return None
    try:
        text = response.content.decode("utf-8-sig")
        document = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:
            # A lone surrogate such as "\\ud800" can be neither stored nor shown.
            json.dumps(document, ensure_ascii=False).encode()
        return through(document, mended, twice=True)
    except (ValueError, RecursionError):
        # ValueError: no JSON, another charset, a number of thousands of digits, half a character.
        return None


def _no_constant(name: str) -> NoReturn:
    # Python reads NaN and Infinity, which are no JSON.
    raise ValueError(name)


def _said(response: requests.Response) -> tuple[str | None, str | None] | None:
    """Return error_key and message, out of an array, a bare object, or an object with a message only.

    None where it is none of them.
    """
    document = json_body(response)
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return None
    key, message = document.get("error_key"), document.get("error_message") or document.get("message")
    key, message = key if isinstance(key, str) else None, message if isinstance(message, str) else None
    return (key, message) if key or message else None


def _kind(response: requests.Response) -> str:
    if 300 <= response.status_code < 400:
        return _redirect(response.headers.get("Location") or "")
    if len(response.content) > LARGEST_BODY:
        return "more than 2 MB"
    start = response.content[:200].lstrip()
    if not start:
        return "without any content"
    if start.startswith(b"<"):
        return "a web page"
    return "other JSON than promised" if json_body(response) is not None else "nothing that can be read"


def _redirect(location: str) -> str:
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        host = ""
    return f"a redirect to {host}" if HOST.fullmatch(host) else "a redirect"
