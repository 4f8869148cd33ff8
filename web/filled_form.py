"""A sign-up form as a person sees it: empty at first, or as it was sent, with what to change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services import TOKEN, FieldError, Form
from services.submission import OLDER_SPELLINGS

HIDDEN = frozenset({"list_id", "list_ids", "form", "source", "consent", "redirect", TOKEN})
# name: (label, input type, autocomplete token of the HTML standard, longest)
INPUTS = {
    "email": ("E-mail", "email", "email", 80),
    "first_name": ("First name", "text", "given-name", 50),
    "last_name": ("Last name", "text", "family-name", 50),
    "job_title": ("Job title", "text", "organization-title", 50),
    "company_name": ("Company", "text", "organization", 50),
    "phone": ("Phone", "tel", "tel", 25),
    # Text: a browser shows nothing of what is no number in a field for numbers.
    "birthday_month": ("Month of birth (1 to 12)", "text", "bday-month", 2),
    "birthday_day": ("Day of birth", "text", "bday-day", 2),
    "anniversary": ("Anniversary (YYYY-MM-DD)", "text", "off", 10),
    "street": ("Street", "text", "address-line1", 255),
    "city": ("City", "text", "address-level2", 50),
    "state": ("State", "text", "address-level1", 50),
    "postal_code": ("Postal code", "text", "postal-code", 50),
    "country": ("Country", "text", "country-name", 50),
}


@dataclass(frozen=True)
class Input:
    """One field the person sees."""

    name: str
    label: str
    kind: str
    autocomplete: str
    longest: int
    required: bool
    value: str
    error: str | None


@dataclass(frozen=True)
class Agreement:
    """The consent to be ticked; `reference` is what a tick sends."""

    wording: str
    reference: str
    ticked: bool
    error: str | None


@dataclass(frozen=True)
class FilledForm:
    """`inputs` are seen, `hidden` goes along unseen, `other_errors` belong to no field that is seen."""

    inputs: tuple[Input, ...]
    agreement: Agreement | None
    hidden: tuple[tuple[str, str], ...]
    other_errors: tuple[str, ...]
    # The form that asks for a proof of work.
    proof_for: str | None


def shown(form: Form, token: str) -> FilledForm:
    """The form as a page of ours shows it, before anybody typed; `token` says when that was."""
    return fill([("form", form.slug), *([] if form.protection == "none" else [(TOKEN, token)])], form=form)


def fill(
    pairs: Sequence[tuple[str, str]], errors: Iterable[FieldError] = (), form: Form | None = None
) -> FilledForm:
    """What was posted, as a form again; fields that are not ours, or not the form's, are dropped."""
    named = [(_name(raw), value) for raw, value in pairs]
    typed = {name: value for name, value in named if name in INPUTS}
    messages = {error.field: error.message for error in errors}
    agreement = _agreement(form, dict(named), messages)
    seen = {"consent"} if agreement else set()
    inputs = tuple(
        Input(name, label, *INPUTS[name][1:], required, typed.get(name, ""), messages.get(name))
        for name, label, required in _shown(form, typed)
    )
    seen |= {shown.name for shown in inputs}
    return FilledForm(
        inputs=inputs,
        agreement=agreement,
        hidden=tuple((name, value) for name, value in named if name in HIDDEN - seen),
        other_errors=tuple(message for name, message in messages.items() if name not in seen),
        proof_for=form.slug if form and form.protection == "captcha" else None,
    )


def _shown(form: Form | None, typed: dict[str, str]) -> list[tuple[str, str, bool]]:
    if form:
        return [(field.name, field.label, field.required) for field in form.fields]
    # The address is asked for in any case: without it there is no sign-up.
    return [(name, INPUTS[name][0], name == "email") for name in INPUTS if name == "email" or name in typed]


def _agreement(form: Form | None, named: dict[str, str], messages: dict[str, str]) -> Agreement | None:
    if form is None or form.consent is None:
        return None
    # A tick under another wording is none under this one.
    ticked = bool(named.get("consent")) and form.agreed(named.get("consent")) == form.consent
    return Agreement(form.consent.wording, form.consent.reference, ticked, messages.get("consent"))


def _name(raw: str) -> str:
    name = raw.removesuffix("[]")
    return OLDER_SPELLINGS.get(name, name)
