"""The stored payload of a delivery, without the values that stand in its sign-up's row already.

Such a value is replaced by a mark and its column's name; `whole` puts it back. So every text of a visitor is
in the database once. Whoever changes a stored payload takes `documents.read`
and `documents.written`, which leave the marks alone.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from store.engine.documents import read, written

# A control character that no submitted text may contain.
MARK = "\x06"
# Characters from which on a text is replaced; shorter ones are no longer than a name.
_SHORTEST = 4
_LOST = object()
_TEXTS = ("email", "consent", "page", "source")
# Not the lists: they are short, and deliveries are searched by them.
_PARTS = ("custom_fields", "tags")
_SOURCES = (*_TEXTS, *_PARTS, "person", "sms")


def compact(payload: Mapping[str, Any], signup: Mapping[str, Any]) -> str:
    """Return the payload as text to store; `signup` has its documents as objects, not as JSON texts."""
    names = {signup[name]: name for name in _TEXTS if signup.get(name)}
    if sms := signup.get("sms"):
        names |= {value: f"sms.{name}" for name, value in sms.items() if isinstance(value, str)}
    names |= {value: name for name, value in (signup.get("person") or {}).items()}
    parts = [
        (name, part if isinstance(part, dict) else list(part))
        for name in _PARTS
        if (part := signup.get(name))
    ]
    return written({name: _with_marks(value, names, parts) for name, value in payload.items()})


def whole(text: str, signup: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the payload with its values; those of a sign-up that was lost are missing."""
    payload: dict[str, Any] = read(text)
    if MARK not in text:
        return payload
    documents = {name: _read(signup[name]) for name in (*_PARTS, "person", "sms")} if signup else {}
    found = _without_marks(payload, _sources({**(signup or {}), **documents}))
    return found if isinstance(found, dict) else {}


def wholes(connection: Connection, stored: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the payloads of several deliveries, given as (id of the sign-up, stored text), by one query."""
    ids = [signup_id for signup_id, text in stored if MARK in text]
    known: dict[str, dict[str, Any]] = {}
    if ids:
        sought = connection.exec_driver_sql(_signups(len(ids), connection.dialect.name), tuple(ids))
        known = {row["id"]: dict(row) for row in sought.mappings()}
    return [whole(text, known.get(signup_id)) for signup_id, text in stored]


@lru_cache(maxsize=64)
def _signups(count: int, dialect: str) -> str:
    """Return the query as the driver takes it; building a statement would slow each claim down."""
    marks = ", ".join(["?" if dialect == "sqlite" else "%s"] * count)
    return f"SELECT id, {', '.join(_SOURCES)} FROM signups WHERE id IN ({marks})"  # noqa: S608 - names only


def _read(text: str | None) -> Any:
    return read(text) if text else None


def _sources(signup: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name in (*_TEXTS, *_PARTS) if (value := signup.get(name))}
    if "tags" in found:
        found["tags"] = list(found["tags"])
    found |= {f"sms.{name}": value for name, value in (signup.get("sms") or {}).items()}
    # Last, so that of two equal texts the person's own column is named.
    return found | (signup.get("person") or {})


def _with_marks(value: Any, names: Mapping[str, str], parts: Sequence[tuple[str, Any]]) -> Any:
    if isinstance(value, str):
        return _marked_text(value, names)
    if not isinstance(value, dict | list | tuple):
        return value
    for name, part in parts:
        if value == part:
            return f"{MARK}{name}"
        if isinstance(value, dict) and list(value) == part and _one_flag(value):
            return [f"{MARK}{name}", next(iter(value.values()))]
    if isinstance(value, dict):
        return {name: _with_marks(member, names, parts) for name, member in value.items()}
    return [_with_marks(member, names, parts) for member in value]


def _marked_text(value: str, names: Mapping[str, str]) -> str:
    name = names.get(value)
    if name and len(value) >= _SHORTEST:
        return f"{MARK}{name}"
    # A text that begins with the mark gets a second one in front.
    return f"{MARK}{value}" if value.startswith(MARK) else value


def _one_flag(value: Mapping[str, Any]) -> bool:
    """Return whether all values are the same truth value, as those of tags mostly are."""
    flags = list(value.values())
    return isinstance(flags[0], bool) and all(flag is flags[0] for flag in flags)


def _without_marks(value: Any, sources: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        if not value.startswith(MARK):
            return value
        return value[1:] if value.startswith(MARK * 2) else sources.get(value[1:], _LOST)
    if isinstance(value, dict):
        members = {name: _without_marks(member, sources) for name, member in value.items()}
        return {name: member for name, member in members.items() if member is not _LOST}
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[1], bool) and str(value[0]).startswith(MARK):
            return dict.fromkeys(sources.get(value[0][1:], ()), value[1])
        members_of = (_without_marks(member, sources) for member in value)
        return [member for member in members_of if member is not _LOST]
    return value
