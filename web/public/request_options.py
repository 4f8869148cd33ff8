"""How a sender wants a sign-up handled, as its headers say: Idempotency-Key, and Prefer (RFC 7240)."""

from __future__ import annotations

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


def handling(asker: Requester) -> Handling:
    """What the headers of the request ask for; how long to wait is for holders of an API key to say.

    Raises:
        MalformedSubmission: the key cannot be used; taken for none, a repeat would count twice.
    """
    asked = _preferences(asker)
    if "wait" in asked:
        return Handling(_key(), float(asked["wait"]))
    # RFC 7240 §4.1 and §4.3: at once, unless a time to wait is given as well.
    return Handling(_key(), 0 if "respond-async" in asked else None)


def acknowledge(answer: Response, asker: Requester) -> None:
    """Name the preferences that a successful answer has followed."""
    asked = _preferences(asker)
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
    # The draft has it in quotes (a structured field), most senders have not: it is the same key.
    return key[1:-1] if len(key) > 2 and key[0] == key[-1] == '"' else key


def _preferences(asker: Requester) -> dict[str, str]:
    """Ours among those that the request names; of one named twice the first counts (RFC 7240 §2)."""
    found: dict[str, str] = {}
    if asker == ANONYMOUS or "Prefer" not in request.headers:
        return found
    for item in parse_list_header(", ".join(request.headers.getlist("Prefer"))):
        name, _, value = item.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    if not _SECONDS.fullmatch(found.get("wait", "")):
        found.pop("wait", None)
    return found
