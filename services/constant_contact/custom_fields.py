"""Custom fields and tags as the API shows them.

https://developer.constantcontact.com/api_guide/custom_fields.html
https://developer.constantcontact.com/api_guide/tags_overview.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.constant_contact.errors import Unreachable

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Page(Generic[Entry]):
    """One page of something; `next` is the link of the following page."""

    entries: tuple[Entry, ...]
    next: str | None


@dataclass(frozen=True)
class Choice:
    """One choice of a selection."""

    choice_id: str
    label: str


@dataclass(frozen=True)
class CustomField:
    """A custom field of the account.

    `type` is the vendor's word: string, text_area, number, currency, date, datetime, boolean, single_select,
    multi_select, or one yet to come. Of numbers, `whole` and `positive` say what the account demands, and
    `decimals` is None where it does not say.
    """

    custom_field_id: str
    label: str
    type: str
    choices: tuple[Choice, ...] = ()
    whole: bool = False
    positive: bool = False
    decimals: int | None = None


@dataclass(frozen=True)
class Tag:
    """A tag of the account."""

    tag_id: str
    name: str


def custom_field(entry: Mapping[str, Any]) -> CustomField:
    """One entry of GET /contact_custom_fields. Raises Unreachable when it is none."""
    try:
        about = entry.get("metadata") or {}
        decimals = about.get("decimal_places")
        return CustomField(
            custom_field_id=str(entry["custom_field_id"]),
            label=str(entry["label"]),
            type=str(entry["type"]),
            choices=tuple(
                Choice(str(choice["choice_id"]), str(choice["choice_label"]))
                for choice in entry.get("choices") or ()
                if not choice.get("deleted_at")
            ),
            whole=about.get("integer") is True,
            # Older fields have no metadata: what is not said is not demanded.
            positive=about.get("allow_negative") is False,
            decimals=decimals if isinstance(decimals, int) else None,
        )
    except (KeyError, TypeError, AttributeError):
        raise Unreachable(detail="a custom field without id, label or type") from None


def tag(entry: Mapping[str, Any]) -> Tag:
    """One entry of GET /contact_tags. Raises Unreachable when it is none."""
    try:
        return Tag(tag_id=str(entry["tag_id"]), name=str(entry["name"]))
    except (KeyError, TypeError):
        raise Unreachable(detail="a tag without id or name") from None
