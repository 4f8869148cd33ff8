"""Custom fields and tags as the API shows them.

https://developer.constantcontact.com/api_guide/custom_fields.html
https://developer.constantcontact.com/api_guide/tags_overview.html
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.constant_contact.fields import an_id, an_object, objects, text, unlike

Entry = TypeVar("Entry")
MOST_DECIMALS = 10


@dataclass(frozen=True)
class Page(Generic[Entry]):
    """One page of a list; `next` is the link of the following page."""

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


def custom_field(entry: Any) -> CustomField:
    """One entry of GET /contact_custom_fields. Raises Unreachable when it is none."""
    try:
        about = an_object(entry.get("metadata"))
        decimals = about.get("decimal_places")
        return CustomField(
            custom_field_id=an_id(entry["custom_field_id"]),
            label=text(entry["label"]),
            type=text(entry["type"]),
            choices=tuple(
                Choice(_choice_id(choice["choice_id"]), text(choice["choice_label"]))
                for choice in objects(entry.get("choices"))
                if not choice.get("deleted_at")
            ),
            whole=about.get("integer") is True,
            # Older fields have no metadata, and so no demands.
            positive=about.get("allow_negative") is False,
            decimals=decimals if type(decimals) is int and 0 <= decimals <= MOST_DECIMALS else None,
        )
    except (KeyError, TypeError, AttributeError):
        raise unlike("a custom field without id, label or type") from None


def tag(entry: Any) -> Tag:
    """One entry of GET /contact_tags. Raises Unreachable when it is none."""
    try:
        return Tag(tag_id=an_id(entry["tag_id"]), name=text(entry["name"]))
    except (KeyError, TypeError):
        raise unlike("a tag without id or name") from None


def _choice_id(value: object) -> str:
    # A number in the contract, a text elsewhere.
    return str(value) if type(value) is int and 0 <= value < 2**63 else an_id(value)
