"""A sign-up form as a person sees it: empty, or as it was sent, with errors beside the fields."""

from collections.abc import Iterable, Iterator, Sequence
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
from services.submission.consent import Consent
from services.submission.custom_fields import LONGEST_VALUE, custom_name
from services.submission.fields import ASKED, RECORDED, Asked
from services.submission.reading import documented_pairs
from web.public.captchas import Widget, widget_of

HIDDEN = frozenset(
    {"list_id", "list_ids", "form", "source", "consent", "redirect", "sms_country", "sms_consent"}
    | {TOKEN, "tags", *RECORDED}
)
# The input for each of the vendor's types; a text field for all others.
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


def how_to_ask(name: str, known: Iterable[CustomField]) -> tuple[Asked, tuple[str, ...]]:
    """Return how to ask for the field of that name, and its choices; an unknown custom field is a text."""
    custom = custom_name(name)
    if custom is None:
        return ASKED[name], ()
    found = field_named(custom, known)
    kind = CUSTOM_KINDS.get(found.type, "text") if found else "text"
    choices = tuple(choice.label for choice in found.choices) if found else ()
    return Asked(label=custom, input=kind, longest=LONGEST_VALUE), choices


@dataclass(frozen=True)
class Input:
    """A field that the person sees."""

    name: str
    label: str
    kind: str
    autocomplete: str
    longest: int | None
    required: bool
    value: str
    error: str | None
    # The name may have blanks, an id must not.
    id: str = ""
    options: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """A consent to be ticked: the field `name`, whose tick sends `reference`."""

    name: str
    wording: str
    reference: str
    ticked: bool
    error: str | None
    required: bool = True


@dataclass(frozen=True)
class FilledForm:
    """The form with its values: visible `inputs`, `hidden` fields, and errors that belong to neither."""

    inputs: tuple[Input, ...]
    agreement: Agreement | None
    hidden: tuple[tuple[str, str], ...]
    other_errors: tuple[str, ...]
    # The slug of a form that asks for a proof of work.
    proof_for: str | None
    captcha: Widget | None
    sms_agreement: Agreement | None = None
    # The name of its honeypot.
    trap: str = trap_name(None)


def shown(form: Form, token: str, known: Sequence[CustomField], came_from: str | None = None) -> FilledForm:
    """Return the empty form for a page of ours.

    `token` tells when it was shown, `came_from` is the page before; `known` as for `fill`.
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
    """Return what was posted as a form again, without fields that are not ours or not the form's.

    `known` are the account's custom fields, whose types decide how they are asked for.
    """
    named = documented_pairs(pairs)
    messages = {error.field: error.message for error in errors}
    agreement = sms_agreement = None
    if form:
        agreement = _agreement("consent", form.consent, form.wordings, named, messages)
        needs_number = any(field.required for field in form.fields if field.name == "sms_number")
        sms_agreement = _agreement(
            "sms_consent", form.sms_consent, form.sms_wordings, named, messages, required=needs_number
        )
    seen = {each.name for each in (agreement, sms_agreement) if each}
    inputs = tuple(_inputs(form, named, messages, known))
    seen |= {shown.name for shown in inputs}
    return FilledForm(
        inputs=inputs,
        agreement=agreement,
        hidden=tuple((name, value) for name, value in named if name in HIDDEN - seen),
        other_errors=_for_the_visitor(
            {name: message for name, message in messages.items() if name not in seen}
        ),
        proof_for=form.slug if form and form.protection == "captcha" else None,
        captcha=widget_of(form) if form else None,
        sms_agreement=sms_agreement,
        trap=form.trap if form else trap_name(None),
    )


def _inputs(
    form: Form | None,
    named: Sequence[tuple[str, str]],
    messages: dict[str, str],
    known: Sequence[CustomField],
) -> Iterator[Input]:
    typed = {name: value for name, value in named if name in ASKED or custom_name(name)}
    for number, (name, label, required) in enumerate(_shown(form, typed)):
        asked, options = how_to_ask(name, known)
        yield Input(
            name,
            label,
            *(asked.input, asked.autocomplete, asked.longest),
            required,
            _as_offered(typed.get(name, ""), options),
            messages.get(name),
            id=f"custom-{number}" if custom_name(name) else name,
            options=options,
            chosen=tuple(_as_offered(value, options) for each, value in named if each == name),
        )


def _for_the_visitor(messages: dict[str, str]) -> tuple[str, ...]:
    """Return the errors of fields that are not shown, in words for a visitor: the owner sees the rest."""
    found = (message if name in FOR_VISITORS else OWNERS_MISTAKE for name, message in messages.items())
    return tuple(dict.fromkeys(found))


def _as_offered(value: str, options: tuple[str, ...]) -> str:
    """Return the choice as it is offered: browsers collapse its blanks."""
    return next((option for option in options if folded(option) == folded(value)), value)


def _shown(form: Form | None, typed: dict[str, str]) -> list[tuple[str, str, bool]]:
    if form:
        return [(field.name, field.label, field.required) for field in form.fields]
    # The address is always asked for.
    usual = [
        (name, asked.label, name == "email")
        for name, asked in ASKED.items()
        if name == "email" or name in typed
    ]
    return usual + [(name, custom, False) for name in typed if (custom := custom_name(name))]


def _agreement(
    field: str,
    asked: Consent | None,
    wordings: Sequence[str],
    named: Iterable[tuple[str, str]],
    errors: dict[str, str],
    *,
    required: bool = True,
) -> Agreement | None:
    if asked is None:
        return None
    ticked = consent.ticked((value for name, value in named if name == field), wordings)
    return Agreement(field, asked.wording, asked.reference, ticked, errors.get(field), required)
