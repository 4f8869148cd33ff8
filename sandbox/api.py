"""What the operations of the API share: the bearer token, JSON bodies, paging."""

import base64
import binascii
from collections.abc import Callable, Sequence
from json import JSONDecodeError, loads
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from flask import request

from sandbox.authorization.tokens import Grant
from sandbox.errors import Forbidden, Invalid, Unauthorized, UnsupportedBody
from sandbox.state import current_world

Item = TypeVar("Item")


def require(scope: str | None) -> Grant:
    """Return the user and the scopes of the request's bearer token.

    Raises:
        Unauthorized: no usable token; a user without an account (`UNASSIGNED`) counts as none.
        Forbidden: `scope` was not granted, or the user's role lacks contact privileges.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized
    world = current_world()
    with world.lock:
        grant = world.tokens.check_access(token.strip(), world.now())
    if grant.user == "unassigned":
        raise Unauthorized
    if scope is not None and scope not in grant.scopes:
        raise Forbidden(f"The scope {scope} is missing")
    if scope == "contact_data" and grant.user == "campaign_creator":
        raise Forbidden("The user lacks the privilege for contacts")
    return grant


def scope_check(scope: str) -> Callable[[], None]:
    """Return a `before_request` function for a blueprint whose operations all need `scope`."""

    def check() -> None:
        require(scope)

    return check


def json_object() -> dict[str, Any]:
    """Return the request's body.

    Raises:
        UnsupportedBody: the content type is not JSON.
        Invalid: malformed JSON, or not an object.
    """
    if request.mimetype != "application/json":
        raise UnsupportedBody
    try:
        body = loads(request.get_data())
    except (JSONDecodeError, UnicodeDecodeError):
        raise Invalid("Malformed JSON", key="contacts.api.bad_request") from None
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object", key="contacts.api.bad_request")
    return body


def page_parameters() -> dict[str, str]:
    """Return the query's parameters, or those that a cursor carries on from the first page.

    Raises:
        Invalid: the cursor is not one of ours.
    """
    cursor = request.args.get("cursor")
    if cursor is None:
        return {name: value for name, value in request.args.items() if name != "next"}
    try:
        carried = dict(parse_qsl(base64.urlsafe_b64decode(cursor).decode(), strict_parsing=True))
        int(carried["next"])
    except (binascii.Error, ValueError, KeyError):
        raise Invalid("cursor is invalid") from None
    return carried


def page(
    items: Sequence[Item], parameters: dict[str, str], *, most: int
) -> tuple[Sequence[Item], dict[str, dict[str, str]]]:
    """Return one page of `items` and its `_links`, empty on the last page.

    Raises:
        Invalid: `limit` is not between 1 and `most`.
    """
    limit = parameters.get("limit", "50")
    if not limit.isdecimal() or not 1 <= int(limit) <= most:
        raise Invalid(f"limit must be between 1 and {most}")
    start = int(parameters.get("next", "0"))
    end = start + int(limit)
    if end >= len(items):
        return items[start:end], {}
    cursor = base64.urlsafe_b64encode(urlencode(parameters | {"next": str(end)}).encode()).decode()
    # The vendor's link is relative to its host; under a mount point the path begins with the mount point.
    href = f"{request.script_root}{request.path}?{urlencode({'cursor': cursor})}"
    return items[start:end], {"next": {"href": href}}


def flag(parameters: dict[str, str], name: str) -> bool:
    """Return a boolean parameter, false when absent; 1 and 0 are what the vendor's own PHP kit sends.

    Raises:
        Invalid: neither true nor false.
    """
    value = parameters.get(name, "false").lower()
    if value not in ("true", "false", "1", "0"):
        raise Invalid(f"{name} must be true or false")
    return value in ("true", "1")


def comma_list(text: str) -> set[str]:
    """Return the values of a comma separated parameter, without blanks around them."""
    return {part.strip() for part in text.split(",") if part.strip()}
