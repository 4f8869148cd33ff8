"""A sign-up form as a person sees it: empty at first, or as it was sent, with what to change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.account.field_values import folded
from services.account.fields_and_tags import field_named
from services.constant_contact.catalog import CustomField
from services.errors import FieldError
from services.forms.form import Form
from services.forms.honeypot import trap_name
from services.forms.ignored_fields import FOR_VISITORS, OWNERS_MISTAKE
from services.protection.rules import TOKEN
from services.submission import consent
from services.submission.custom_fields import LONGEST_VALUE, custom_name
from services.submission.fields import ASKED, RECORDED
from services.submission.reading import documented_pairs
from web.public.captchas import Widget, widget_of

HIDDEN = frozenset(
    {"list_id", "list_ids", "form", "source", "consent", "redirect", "sms_country", "sms_consent"}
    | {TOKEN, "tags", *RECORDED}
)
# The vendor's types as inputs; others are asked for as text.
CUSTOM_KINDS = {
    "date": "date",
    "datetime": "datetime-local",
    "number": "number",
    "currency": "number",
    "boolean": "checkbox",
    "text_area": "textarea",
    "single_select": "select",
    "multi_select": "checkboxes",
}


@dataclass(frozen=True)
class Shape:
    """How a field is asked for; `attributes` are input type, autocomplete token and longest value, if any."""

    attributes: tuple[str, str, int | None]
    options: tuple[str, ...] = ()


def shape_of(name: str, known: Iterable[CustomField]) -> Shape:
    """How to ask for the field of that name; a custom field that is not known as text."""
    custom = custom_name(name)
    if custom is None:
        asked = ASKED[name]
        return Shape((asked.input, asked.autocomplete, asked.longest))
    found = field_named(custom, known)
    kind = CUSTOM_KINDS.get(found.type, "text") if found else "text"
    return Shape(
        (kind, "off", LONGEST_VALUE), tuple(choice.label for choice in found.choices) if found else ()
    )


@dataclass(frozen=True)
class Input:
    """One field the person sees."""

    name: str
    label: str
    kind: str
    autocomplete: str
    longest: int | None
    required: bool
    value: str
    error: str | None
    # A name may hold blanks, an id may not.
    id: str = ""
    options: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """The consent to be ticked as the field `name`; `reference` is what a tick sends."""

    name: str
    wording: str
    reference: str
    ticked: bool
    error: str | None
    required: bool = True


@dataclass(frozen=True)
class FilledForm:
    """`inputs` are seen, `hidden` goes along unseen, `other_errors` belong to no field that is seen."""

    inputs: tuple[Input, ...]
    agreement: Agreement | None
    hidden: tuple[tuple[str, str], ...]
    other_errors: tuple[str, ...]
    # The form that asks for a proof of work.
    proof_for: str | None
    captcha: Widget | None
    sms_agreement: Agreement | None = None
    # The name of the field that people do not see.
    trap: str = trap_name(None)


def shown(form: Form, token: str, known: Sequence[CustomField], came_from: str | None = None) -> FilledForm:
    """The form as a page of ours shows it, before anybody typed.

    `token` says when that was, `came_from` is where the visitor was before; `known` as for `fill`.
    """
    pairs = [("form", form.slug), *([("referrer", came_from)] if came_from else [])]
    pairs += [] if form.protection == "none" else [(TOKEN, token)]
    return fill(pairs, form=form, known=known)


def fill(
    pairs: Sequence[tuple[str, str]],
    errors: Iterable[FieldError] = (),
    form: Form | None = None,
    known: Sequence[CustomField] = (),
) -> FilledForm:
    """What was posted, as a form again; fields that are not ours, or not the form's, are dropped.

    `known` are the account's custom fields, which say how to ask for them.
    """
    named = documented_pairs(pairs)
    typed = {name: value for name, value in named if name in ASKED or custom_name(name)}
    messages = {error.field: error.message for error in errors}
    agreement = _agreement(form, named, messages)
    sms_agreement = _sms_agreement(form, named, messages)
    seen = {each.name for each in (agreement, sms_agreement) if each}
    inputs = tuple(
        Input(
            name,
            label,
            *(shape := shape_of(name, known)).attributes,
            required,
            _as_offered(typed.get(name, ""), shape.options),
            messages.get(name),
            id=f"custom-{number}" if custom_name(name) else name,
            options=shape.options,
            chosen=tuple(_as_offered(value, shape.options) for each, value in named if each == name),
        )
        for number, (name, label, required) in enumerate(_shown(form, typed))
    )
    seen |= {shown.name for shown in inputs}
    return FilledForm(
        inputs=inputs,
        agreement=agreement,
        hidden=tuple((name, value) for name, value in named if name in HIDDEN - seen),
        other_errors=_for_the_visitor({name: said for name, said in messages.items() if name not in seen}),
        proof_for=form.slug if form and form.protection == "captcha" else None,
        captcha=widget_of(form) if form else None,
        sms_agreement=sms_agreement,
        trap=form.trap if form else trap_name(None),
    )


def _for_the_visitor(messages: dict[str, str]) -> tuple[str, ...]:
    """What fits a visitor of errors in fields that are not shown: their names and rules are for the owner."""
    found = (message if name in FOR_VISITORS else OWNERS_MISTAKE for name, message in messages.items())
    return tuple(dict.fromkeys(found))


def _as_offered(value: str, options: tuple[str, ...]) -> str:
    """The choice as it is offered, whatever blanks a browser left of it."""
    return next((option for option in options if folded(option) == folded(value)), value)


def _shown(form: Form | None, typed: dict[str, str]) -> list[tuple[str, str, bool]]:
    if form:
        return [(field.name, field.label, field.required) for field in form.fields]
    # The address is asked for in any case: without it there is no sign-up.
    usual = [
        (name, asked.label, name == "email")
        for name, asked in ASKED.items()
        if name == "email" or name in typed
    ]
    return usual + [(name, custom, False) for name in typed if (custom := custom_name(name))]


def _agreement(
    form: Form | None, named: Iterable[tuple[str, str]], messages: dict[str, str]
) -> Agreement | None:
    if form is None or form.consent is None:
        return None
    ticked = consent.ticked((value for name, value in named if name == "consent"), form.wordings)
    error = messages.get("consent")
    return Agreement("consent", form.consent.wording, form.consent.reference, ticked, error)


def _sms_agreement(
    form: Form | None, named: Iterable[tuple[str, str]], messages: dict[str, str]
) -> Agreement | None:
    if form is None or form.sms_consent is None:
        return None
    asked = form.sms_consent
    ticked = consent.ticked((value for name, value in named if name == "sms_consent"), form.sms_wordings)
    required = any(field.required for field in form.fields if field.name == "sms_number")
    error = messages.get("sms_consent")
    return Agreement("sms_consent", asked.wording, asked.reference, ticked, error, required)
