"""Turn an answer of Constant Contact into a typed failure."""

from __future__ import annotations

from typing import Any

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
    """The typed failure behind an answer that is not the expected success."""
    key, detail = _said(response)
    if response.status_code == 429:
        kind: type[ConstantContactError] = QuotaExceeded if key == "quota_exceeded" else Throttled
    elif response.status_code >= 500:
        kind = ServerFault
    else:
        # What has a key was said by the API; a redirect or a proxy's page was not.
        other = Rejected if key and response.status_code >= 400 else Unreachable
        kind = BY_STATUS.get(response.status_code, other)
    return kind(key=key, detail=detail)


def json_object(response: requests.Response) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        Unreachable: it is something else, so a proxy or an outage page answered and the outcome is unknown.
    """
    document = json_body(response)
    if not isinstance(document, dict):
        raise Unreachable(detail=f"status {response.status_code} without a JSON object")
    return document


def json_body(response: requests.Response) -> object:
    """The body's JSON, None where it holds none."""
    try:
        return response.json()
    except requests.exceptions.JSONDecodeError:
        return None


def _said(response: requests.Response) -> tuple[str | None, str | None]:
    """error_key and message, out of three shapes: an array, a bare object, an object with a message only."""
    document = json_body(response)
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return None, None
    key, message = document.get("error_key"), document.get("error_message") or document.get("message")
    return (key if isinstance(key, str) else None), (message if isinstance(message, str) else None)
