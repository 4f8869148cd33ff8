"""Custom fields and tags as they are submitted: names, values, and their limits.

The limits are the vendor's: 50 custom fields and 50 tags in a call, names of 50 characters, the rest of 255.
"""

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from services.plain_text import admitted, one_line

MOST_CUSTOM_FIELDS = MOST_TAGS = 50
LONGEST_NAME, LONGEST_VALUE, LONGEST_TAG, MOST_CHOICES = 50, 255, 255, 100
CUSTOM_FIELD = re.compile(r"custom_fields\[(.+)\]", re.DOTALL)
# The value of a custom field: one text, or several choices.
CustomFieldValue = str | tuple[str, ...]


@lru_cache(maxsize=1024)
def fold(name: str) -> str:
    """Return what all spellings of a custom field's name share: the vendor writes it with underscores too."""
    return " ".join(name.replace("_", " ").split()).casefold()


def field_of(name: str) -> str:
    """Return the name of a form's input for the custom field of that name."""
    return f"custom_fields[{name}]"


def _custom_value(value: object) -> CustomFieldValue:
    """Return the value as text, several choices as a tuple; empty for no value."""
    if isinstance(value, list | tuple):
        if len(value) > MOST_CHOICES:
            raise ValueError(f"Choose at most {MOST_CHOICES}.")
        chosen = tuple(text for each in value if (text := _custom_text(each)))
        return chosen[0] if len(chosen) == 1 else chosen
    return _custom_text(value)


def _custom_text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise ValueError("This must be text, a number, true or false, or an array of choices.")  # noqa: TRY004
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    if len(text) > LONGEST_VALUE:
        raise ValueError(f"Use at most {LONGEST_VALUE} characters.")
    return admitted(text)


def _without_empty(fields: dict[str, CustomFieldValue]) -> dict[str, CustomFieldValue] | None:
    return {name: value for name, value in fields.items() if value} or None


def custom_name(field: str) -> str | None:
    """Return the custom field that an input of that name is for; None for another input."""
    found = CUSTOM_FIELD.fullmatch(field)
    return found[1] if found else None


def gathered_tags(value: object) -> object:
    """Return the tags, each once; a single one may come without an array."""
    tags = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(tag, str) for tag in tags):
        return None if value is None else tags
    return tuple(tag for tag in dict.fromkeys(str(tag).strip() for tag in tags) if tag) or None


CustomName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(one_line)]
CustomValue = Annotated[
    CustomFieldValue,
    PlainValidator(_custom_value),
    WithJsonSchema(
        {"anyOf": [{"type": ["string", "number", "boolean", "null"]}, {"type": "array", "items": {}}]}
    ),
]
TagName = Annotated[str, Field(min_length=1, max_length=LONGEST_TAG), AfterValidator(one_line)]
CustomFields = Annotated[
    dict[CustomName, CustomValue], Field(max_length=MOST_CUSTOM_FIELDS), AfterValidator(_without_empty)
]
Tags = Annotated[tuple[TagName, ...], Field(max_length=MOST_TAGS)]
