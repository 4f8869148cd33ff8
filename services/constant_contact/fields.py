"""Check the types of fields in the vendor's answers, which may be anything."""

import re
from typing import Any

from services.constant_contact.errors import Unreachable

# The vendor's are UUIDs. An id becomes part of an address, so nothing in it may lead to another one.
ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


def an_id(value: object) -> str:
    """Return an id of the vendor's. Raises TypeError when it is none."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise TypeError("no id")
    return value


def text(value: object) -> str:
    """Return a text that is not empty. Raises TypeError when it is none."""
    if not isinstance(value, str) or not value:
        raise TypeError("no text")
    return value


def objects(value: object) -> list[dict[str, Any]]:
    """Return an array of objects; empty where there is none. Raises TypeError when it is something else."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise TypeError("no array of objects")
    return value


def an_object(value: object) -> dict[str, Any]:
    """Return an object; empty where there is none. Raises TypeError when it is something else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def unlike(what: str) -> Unreachable:
    """Return what to raise for an answer that holds `what`, as in "a list without id or name"."""
    return Unreachable(
        detail=what,
        words=f"Constant Contact's address answered, but not as Constant Contact does ({what}).",
    )
