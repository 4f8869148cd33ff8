"""Values of custom fields: as the account takes them, or a sentence why they do not fit."""

import re
from collections.abc import Callable

from services.constant_contact.catalog import Choice, CustomField
from services.plain_text import shortened
from services.submission.custom_fields import LONGEST_VALUE, CustomFieldValue
from services.submission.values.days import parse_day
from services.submission.values.moments import parse_moment

NUMBER = re.compile(r"-?\d{1,15}(?:\.(\d{1,15}))?")
CENTS = 2
# How much of the choices the sentence for a wrong one names; it may be stored with the sign-up.
LONGEST_OFFER_BYTES = 1_000
YES, NO = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def fitting(field: CustomField, value: CustomFieldValue) -> CustomFieldValue:
    """Return the value as the field takes it; several choices in the account's spelling and order.

    Raises:
        ValueError: It does not fit; the message is a sentence for the visitor.
    """
    if field.type == "multi_select":
        chosen = {_choice(field, each).label for each in ([value] if isinstance(value, str) else value)}
        labels = tuple(choice.label for choice in field.choices if choice.label in chosen)
        if len(", ".join(labels)) > LONGEST_VALUE:
            raise ValueError("These are too many choices for Constant Contact; choose fewer.")
        return labels
    if not isinstance(value, str):
        raise ValueError("Send one value only.")  # noqa: TRY004 - a sentence for a visitor
    return _BY_TYPE.get(field.type, _text)(field, value)


def folded(label: str) -> str:
    """Return a label in lower case with single blanks: browsers collapse blanks, and people vary capitals."""
    return " ".join(label.split()).casefold()


def needs_ids(field: CustomField, value: CustomFieldValue) -> bool:
    """Return whether the value must be sent by choice ids: its labels hold commas, which separate labels."""
    return field.type == "multi_select" and any("," in label for label in value)


def choice_ids(field: CustomField, value: CustomFieldValue) -> list[str]:
    """Return the ids of the choices that a fitting value names; none for other types."""
    labels = {value} if isinstance(value, str) else set(value)
    return [choice.choice_id for choice in field.choices if choice.label in labels]


def _text(field: CustomField, value: str) -> str:
    if field.type != "text_area" and len(value.splitlines()) > 1:
        raise ValueError("Line breaks are not allowed here.")
    return value


def _day(_: CustomField, value: str) -> str:
    return parse_day(value)


def _moment(_: CustomField, value: str) -> str:
    return parse_moment(value)


def _number(field: CustomField, value: str) -> str:
    found = NUMBER.fullmatch(value) if value.isascii() else None
    if not found:
        raise ValueError("Enter a number like 42 or 42.5.")
    decimals = len(found[1] or "")
    if field.whole and decimals:
        raise ValueError("Enter a whole number.")
    if field.positive and value.startswith("-"):
        raise ValueError("Enter a number of at least 0.")
    most = CENTS if field.type == "currency" and field.decimals is None else field.decimals
    if most is not None and decimals > most:
        raise ValueError(f"Enter a number with at most {most} decimals.")
    return value


def _truth(_: CustomField, value: str) -> str:
    said = value.lower()
    if said not in YES | NO:
        raise ValueError("Send true or false.")
    return "true" if said in YES else "false"


def _one_choice(field: CustomField, value: str) -> str:
    return _choice(field, value).label


def _choice(field: CustomField, value: str) -> Choice:
    for alike in (str, folded):
        for choice in field.choices:
            if alike(value) == alike(choice.label):
                return choice
    offered = shortened(", ".join(choice.label for choice in field.choices), LONGEST_OFFER_BYTES)
    raise ValueError(f"Choose one of: {offered}.")


_BY_TYPE: dict[str, Callable[[CustomField, str], str]] = {
    "number": _number,
    "currency": _number,
    "date": _day,
    "datetime": _moment,
    "boolean": _truth,
    "single_select": _one_choice,
}
