"""A form as an admin enters it: what it may hold, and sentences for what is wrong with it."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from services.errors import FieldError, InvalidForm
from services.plain_text import NOT_TEXT, admitted, one_line, through
from services.submission.custom_fields import Tags, custom_name, fold, gathered_tags
from services.submission.field_types import Blank, Country, ListId, Text2000
from services.submission.fields import ASKED, BIRTHDAY_FIELDS, Submission
from services.submission.web_origins import origin_of, unusable_name

CUSTOM_FIELD_NAME = re.compile(r"custom_fields\[[^\x00-\x1f\x7f-\x9f]{1,50}\]")
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")

# Taken in the addresses of the admin's pages, where a form's short name stands too.
RESERVED_SLUGS = frozenset({"new"})

# none: the honeypot alone, which every anonymous sign-up has; standard: also how long the form was open;
# captcha: a proof of work besides; the others: a third party's captcha besides.
ProtectionLevel = Literal["none", "standard", "captcha", "turnstile", "hcaptcha", "recaptcha"]
# As many as Constant Contact takes in a day.
MOST_PENDING = 10_000
REQUIRED = "This field is required."
SENTENCES = {
    "missing": REQUIRED,
    "string_pattern_mismatch": "Use small letters, digits and hyphens, such as “spring-newsletter”.",
    "string_too_long": "Use at most {max_length} characters.",
    "string_too_short": REQUIRED,
    "too_short": "Choose at least one.",
    "too_long": "Choose at most {max_length}.",
    "int_parsing": "Enter a whole number.",
    "greater_than_equal": "Enter a number of at least {ge}.",
    "less_than_equal": "Enter a number of at most {le}.",
}


def _field_name(value: str) -> str:
    if value not in ASKED and not CUSTOM_FIELD_NAME.fullmatch(value):
        raise PydanticCustomError("unknown_field", "no field of a sign-up")
    return value


def _origin(value: str) -> str:
    origin = origin_of(value)
    if origin is None:
        _refuse_unusable_name(value)
        raise ValueError(f"“{value}” is not a site's address like https://www.example.org.")
    return origin


def _refuse_unusable_name(url: str) -> None:
    if name := unusable_name(url):
        raise ValueError(f"“{name}” is no name that browsers can look up. Write it as your browser shows it.")


def _web_address(value: str) -> str:
    # urlsplit alone accepts addresses that browsers read otherwise.
    if origin_of(value) is None or urlsplit(value).scheme not in {"http", "https"}:
        _refuse_unusable_name(value)
        raise ValueError("Enter a whole address like https://www.example.org/thank-you.")
    return value


def _with_the_address(fields: "tuple[FormField, ...]") -> "tuple[FormField, ...]":
    """Take each field once, a birthday whole, and `email` first and required."""
    once = {field.name: field for field in fields}
    if len(once.keys() & set(BIRTHDAY_FIELDS)) == 1:
        # Every sign-up with half a birthday would be refused.
        raise ValueError("Ask for the month and the day of birth together, or for neither.")
    email = once.pop("email", None)
    label = email.label if email else ASKED["email"].label
    return (FormField(name="email", label=label, required=True), *once.values())


def _wanted_for_sms(wording: str | None, info: ValidationInfo) -> str | None:
    fields: Iterable[FormField] = info.data.get("fields", ())
    if wording is None and any(field.name == "sms_number" for field in fields):
        raise ValueError("Write what people agree to: without it no text message may be sent.")
    return wording


FieldName = Annotated[str, AfterValidator(_field_name)]
LongText = Annotated[Text2000 | None, Blank]
MostPending = Annotated[
    int, Field(ge=0, le=1_000_000), BeforeValidator(lambda value: MOST_PENDING if value == "" else value)
]
WebAddress = Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]


class FormField(BaseModel):
    """A field that a form asks for; `name` is one of POST /subscribe, such as custom_fields[Shoe size]."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    name: FieldName
    label: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(one_line)]
    required: bool = False

    @property
    def custom_field(self) -> str | None:
        """The name of the account's custom field that it asks for; None for another field."""
        return custom_name(self.name)

    def answered(self, submission: Submission) -> bool:
        """Return whether the submission has a value for the field."""
        if self.custom_field is None:
            return bool(getattr(submission, self.name))
        return fold(self.custom_field) in {fold(name) for name in submission.custom_fields or ()}


class FormDraft(BaseModel):
    """A form as an admin enters it."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    slug: Annotated[str, Field(pattern=f"^{SLUG.pattern}$")]
    name: Annotated[str, Field(min_length=1, max_length=50), AfterValidator(one_line)]
    list_ids: Annotated[tuple[ListId, ...], Field(min_length=1, max_length=50)]
    fields: Annotated[tuple[FormField, ...], AfterValidator(_with_the_address)] = Field(
        default=(), validate_default=True
    )
    wording: LongText = None
    thank_you_message: LongText = None
    thank_you_url: Annotated[WebAddress | None, Blank] = None
    origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...],
        Field(max_length=20),
        BeforeValidator(lambda value: tuple(dict.fromkeys(value))),
    ] = ()
    protection: ProtectionLevel = "none"
    protect_existing: bool = False
    sms_wording: Annotated[LongText, AfterValidator(_wanted_for_sms)] = Field(
        default=None, validate_default=True
    )
    sms_country: Country | None = None
    tags: Annotated[Tags, BeforeValidator(lambda value: gathered_tags(value) or ())] = ()
    most_pending: MostPending = MOST_PENDING


def admitted_fields(entered: Mapping[str, Any]) -> dict[str, object]:
    """Return what was entered, as services/plain_text.py admits it. Raises InvalidForm: some is no text."""
    fields: dict[str, object] = {}
    errors = []
    for name, value in entered.items():
        try:
            fields[name] = through(value, admitted)
        except ValueError as wrong:
            errors.append(FieldError(name, str(wrong) or NOT_TEXT))
    if errors:
        raise InvalidForm(errors)
    return fields


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return one sentence for each field that is wrong."""
    found: dict[str, str] = {}
    for detail in error.errors():
        if detail["type"] == "value_error":
            sentence = str(detail["ctx"]["error"])
        elif detail["loc"][-1] == "label":
            sentence = "Give each field that is shown a label of at most 100 characters."
        else:
            sentence = SENTENCES.get(detail["type"], "This is not valid.").format(**detail.get("ctx", {}))
        found.setdefault(str(detail["loc"][0]), sentence)
    return [FieldError(name, sentence) for name, sentence in found.items()]
