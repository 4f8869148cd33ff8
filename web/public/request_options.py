"""The headers by which a sender chooses how a sign-up is handled: Idempotency-Key, and Prefer (RFC 7240)."""

import re
from http import HTTPStatus

from flask import request
from werkzeug.http import parse_list_header
from werkzeug.wrappers import Response

from services.access.requester import ANONYMOUS, Requester
from services.errors import MalformedSubmission
from services.intake.idempotency import Handling

KEY_PATTERN = r"^[!-~]{1,255}$"
_SECONDS = re.compile(r"[0-9]{1,9}")


def handling(requester: Requester) -> Handling:
    """Return what the headers ask for; only holders of an API key choose how long to wait.

    Raises:
        MalformedSubmission: the key cannot be used; if it were ignored, a repeat would count twice.
    """
    asked = _preferences(requester)
    if "wait" in asked:
        return Handling(_key(), float(asked["wait"]))
    # RFC 7240 §4.1 and §4.3: at once, unless a time to wait is given as well.
    return Handling(_key(), 0 if "respond-async" in asked else None)


def acknowledge(answer: Response, requester: Requester) -> None:
    """Name in a successful answer the preferences that it followed."""
    asked = _preferences(requester)
    followed = []
    if "respond-async" in asked and answer.status_code == HTTPStatus.ACCEPTED:
        followed.append("respond-async")
    if "wait" in asked and answer.status_code < HTTPStatus.BAD_REQUEST:
        followed.append(f"wait={asked['wait']}")
    if followed:
        answer.headers["Preference-Applied"] = ", ".join(followed)


def _key() -> str | None:
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return None
    key = header.strip()
    if not re.fullmatch(KEY_PATTERN, key):
        raise MalformedSubmission("The Idempotency-Key must be 1 to 255 visible ASCII characters.")
    # By the draft the key is in quotes (a structured field); most senders leave them out. It is the same key.
    return key[1:-1] if len(key) > 2 and key[0] == key[-1] == '"' else key


def _preferences(requester: Requester) -> dict[str, str]:
    """Return the request's preferences; of one that is named twice the first counts (RFC 7240 §2)."""
    found: dict[str, str] = {}
    if requester == ANONYMOUS or "Prefer" not in request.headers:
        return found
    for item in parse_list_header(", ".join(request.headers.getlist("Prefer"))):
        name, _, value = item.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    if not _SECONDS.fullmatch(found.get("wait", "")):
        found.pop("wait", None)
    return found
