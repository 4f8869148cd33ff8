"""A form with mistakes, as it goes back to the person: what was typed, and what to change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services import FieldError
from services.submission import OLDER_SPELLINGS

HIDDEN = frozenset({"list_id", "list_ids", "source", "consent", "redirect"})
# name: (label, input type, autocomplete token of the HTML standard)
INPUTS = {
    "email": ("E-mail", "email", "email"),
    "first_name": ("First name", "text", "given-name"),
    "last_name": ("Last name", "text", "family-name"),
    "job_title": ("Job title", "text", "organization-title"),
    "company_name": ("Company", "text", "organization"),
    "phone": ("Phone", "tel", "tel"),
    # Text: a browser shows nothing of what is no number in a field for numbers.
    "birthday_month": ("Month of birth (1 to 12)", "text", "bday-month"),
    "birthday_day": ("Day of birth", "text", "bday-day"),
    "anniversary": ("Anniversary (YYYY-MM-DD)", "text", "off"),
    "street": ("Street", "text", "address-line1"),
    "city": ("City", "text", "address-level2"),
    "state": ("State", "text", "address-level1"),
    "postal_code": ("Postal code", "text", "postal-code"),
    "country": ("Country", "text", "country-name"),
}


@dataclass(frozen=True)
class Input:
    """One field the person sees."""

    name: str
    label: str
    kind: str
    autocomplete: str
    value: str
    error: str | None


@dataclass(frozen=True)
class FilledForm:
    """`inputs` are seen, `hidden` goes along unseen, `other_errors` belong to no field that is seen."""

    inputs: tuple[Input, ...]
    hidden: tuple[tuple[str, str], ...]
    other_errors: tuple[str, ...]


def fill(pairs: Sequence[tuple[str, str]], errors: Iterable[FieldError] = ()) -> FilledForm:
    """The posted form again; fields that are not ours are dropped."""
    named = [(_name(raw), value) for raw, value in pairs]
    typed = {name: value for name, value in named if name in INPUTS}
    messages = {error.field: error.message for error in errors}
    # The address is asked for in any case: without it there is no sign-up.
    shown = [name for name in INPUTS if name == "email" or name in typed]
    return FilledForm(
        inputs=tuple(
            Input(name, *INPUTS[name], value=typed.get(name, ""), error=messages.get(name)) for name in shown
        ),
        hidden=tuple((name, value) for name, value in named if name in HIDDEN),
        other_errors=tuple(message for field, message in messages.items() if field not in shown),
    )


def _name(raw: str) -> str:
    name = raw.removesuffix("[]")
    return OLDER_SPELLINGS.get(name, name)
