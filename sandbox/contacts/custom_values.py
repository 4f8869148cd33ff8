"""What the values of custom fields may be: assumed from their types, since the contract says no more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

TYPES = (
    *("string", "text_area", "date", "datetime", "number", "currency", "boolean"),
    *("single_select", "multi_select"),
)
SELECTS = ("single_select", "multi_select")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass
class CustomField:
    """A custom field of the account; `choices` are labels by id in their order, times are epoch seconds."""

    custom_field_id: str
    label: str
    type: str
    created_at: float
    updated_at: float
    choices: dict[int, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The label with underscores for its blanks, as in the contract."""
        return self.label.replace(" ", "_")

    def stored(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the value that a contact has after `item` was sent; of a selection its labels and its ids.

        Raises:
            ValueError: the value is not allowed; the message says why.
        """
        shown: dict[str, Any] = {"custom_field_id": self.custom_field_id}
        if self.type not in SELECTS:
            self._check(item["value"])
            return shown | {"value": item["value"]}
        chosen = self._chosen(item)
        if not chosen or (self.type == "single_select" and len(chosen) > 1):
            raise ValueError(f"{len(chosen)} choices are not for {self.type}")
        value = ", ".join(self.choices[number] for number in chosen)
        return shown | {"value": value, "choice_ids": [str(number) for number in chosen]}

    def follow(self, custom_fields: dict[str, dict[str, Any]]) -> None:
        """Update a contact's value after the field's choices have changed; `custom_fields` is by field id."""
        shown = custom_fields.get(self.custom_field_id)
        if shown is None or self.type not in SELECTS:
            return
        left = [number for number in shown["choice_ids"] if int(number) in self.choices]
        if left:
            custom_fields[self.custom_field_id] = self.stored({"choice_ids": left})
        else:
            del custom_fields[self.custom_field_id]

    def _chosen(self, item: dict[str, Any]) -> list[int]:
        known = {str(number): number for number in self.choices}
        sent: Sequence[str] = [str(sent) for sent in item.get("choice_ids", ())]
        if "choice_ids" not in item:
            known = {label: number for number, label in self.choices.items()}
            value = item["value"]
            sent = [value] if self.type == "single_select" else [part.strip() for part in value.split(",")]
        if not set(sent) <= set(known):
            raise ValueError("the choice does not exist")
        return [known[each] for each in sent]

    def _check(self, value: str) -> None:
        if self.type in {"number", "currency"} and not _NUMBER.fullmatch(value):
            raise ValueError("the value must be a number")
        if self.type == "boolean" and value not in {"true", "false"}:
            raise ValueError("the value must be true or false")
        if self.type == "date":
            try:
                date.fromisoformat(value)
            except ValueError:
                raise ValueError("the value must be a date such as 2006-11-15") from None
        if self.type == "datetime" and not _is_moment(value):
            raise ValueError("the value must be a date and a time such as 2006-11-15T18:30:00")


def _is_moment(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return bool(_MOMENT.match(value))
