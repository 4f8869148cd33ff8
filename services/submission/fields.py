"""A sign-up as it is submitted: the fields, their limits, and sentences for what is wrong with them.

The limits are the vendor's for POST /contacts/sign_up_form (names 50, phone 25, street 255, 50 lists) and
POST /contacts (e-mail address 80): https://developer.constantcontact.com/api_guide/contacts_create_or_update.html
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from phonenumbers import SUPPORTED_REGIONS
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
)

from services.plain_text import NOT_TEXT, admitted, one_line
from services.submission import consent as consents
from services.submission.custom_fields import CustomFields, Tags
from services.submission.values.host_names import UnusableName, in_ascii
from services.submission.values.pasted_addresses import as_meant
from services.submission.values.years import day_said
from services.submission.web_origins import bare_page

# What the widgets of third parties' captchas call their answer.
WIDGET_FIELDS = ("cf-turnstile-response", "h-captcha-response", "g-recaptcha-response")
# Fields that no visitor sees or can mend.
UNSEEN = frozenset({"source", "redirect", "referrer", "form_token", "altcha", "website", "captcha"})
BIRTHDAY_FIELDS = ("birthday_month", "birthday_day")
STREET_FIELDS = ("street", "city", "state", "postal_code", "country")
PERSON_FIELDS = (
    *("first_name", "last_name", "job_title", "company_name", "phone"),
    *(*BIRTHDAY_FIELDS, "anniversary", *STREET_FIELDS),
)
SMS_FIELDS = ("sms_number", "sms_country", "sms_consent")
# Before the @ by RFC 5321 §4.5.3.1.1, which the vendor holds too.
LONGEST_ADDRESS, LONGEST_LOCAL_PART, LONGEST_SOURCE = 80, 64, 100
MOST_DIGITS, LEAP_YEAR = 4, 2024
# Never in doubt before the @; all else is for the library to judge.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
SENTENCES = {
    "missing": "This field is required.",
    "string_type": "This must be text.",
    "int_type": "Enter a whole number.",
    "greater_than_equal": "Enter a number of at least {ge}.",
    "less_than_equal": "Enter a number of at most {le}.",
    "string_unicode": NOT_TEXT,
    "string_too_long": "Use at most {max_length} characters.",
    "string_too_short": "This must not be empty.",
    "too_long": "Choose at most {max_length} {things}.",
    "dict_type": "Send an object of names and values; an HTML form sends custom_fields[name].",
    "tuple_type": "This must be a list id or an array of list ids.",
}


def _address(value: str) -> str:
    name, _, domain = value.rpartition("@")
    try:
        address = f"{name}@{_domain(domain)}" if PLAIN_NAME.fullmatch(name) else _judged(value)
    except (EmailNotValidError, UnusableName):
        raise ValueError("Enter an e-mail address like name@example.org.") from None
    if len(name) > LONGEST_LOCAL_PART:
        raise ValueError(f"Use at most {LONGEST_LOCAL_PART} characters before the @.")
    if len(address) > LONGEST_ADDRESS:
        # A domain in other letters grows when it is written in ASCII.
        raise ValueError(SENTENCES["string_too_long"].format(max_length=LONGEST_ADDRESS))
    # Capital letters in an address have produced 409s at the vendor.
    return address.lower()


@lru_cache(maxsize=1024)
def _domain(domain: str) -> str:
    """A valid domain in ASCII; kept, because the judgement costs more than the rest of a sign-up's fields."""
    return _judged(f"name@{in_ascii(domain)}").partition("@")[2]


def _judged(address: str) -> str:
    # The vendor wants the domain in ASCII.
    return validate_email(address, check_deliverability=False, allow_smtputf8=False).ascii_email or address


def _as_meant(value: object) -> object:
    return as_meant(value) if isinstance(value, str) else value


def _list_id(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueError("This is not a list id; GET /lists shows the ids.") from None


def _each_once(list_ids: tuple[str, ...]) -> tuple[str, ...]:
    """One id has several spellings, which would be stored each."""
    return tuple(dict.fromkeys(list_ids))


def _number(value: object) -> object:
    """Forms send numbers as text, such as "07"."""
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else value


def _day_of_month(day: int | None, info: ValidationInfo) -> int | None:
    # Not in `data`: the month was refused already.
    month = info.data.get("birthday_month", day)
    if (month is None) != (day is None):
        raise ValueError("Send birthday_month and birthday_day together, or neither.")
    if month and day and "birthday_month" in info.data and day > monthrange(LEAP_YEAR, month)[1]:
        raise ValueError("This month does not have so many days.")
    return day


def _country(value: str | None) -> str | None:
    code = value.upper() if value else None
    if code and code not in SUPPORTED_REGIONS:
        raise ValueError("Enter a country by its two letters, such as US.")
    return code


def _returning(value: str | None) -> str | None:
    if value not in {None, "accept"}:
        raise ValueError("Send accept, or leave it out.")
    return value


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _answer(value: object) -> object:
    """One text for a consent: a box may come as true or 1, and a name several times."""
    said = [_said(each) for each in (value if isinstance(value, list | tuple) else [value])]
    return value if None in said else consents.answer(each for each in said if each)


def _said(value: object) -> str | None:
    """The text of a value, empty for null; None for what is no single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    return "" if value is None else None


def _none_if_unusable(value: object) -> object:
    """A visitor cannot mend a form's hidden field: a wrong one leads to our own page and costs no sign-up."""
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= 2000 else None


def _as_text(value: object) -> str:
    """Whatever a program puts there counts, and none of it is an error that would tell it so."""
    return "" if value is None or value is False else str(value)


def _none_if_no_text(value: object) -> object:
    """Nor can a visitor mend what a widget sends; whether it is good, its provider says."""
    return value if isinstance(value, str) else None


Address = Annotated[
    str,
    Field(max_length=LONGEST_ADDRESS, json_schema_extra={"format": "email"}),
    BeforeValidator(_as_meant),
    AfterValidator(one_line),
    AfterValidator(_address),
]
ListId = Annotated[str, Field(json_schema_extra={"format": "uuid"}), AfterValidator(_list_id)]
Line25 = Annotated[str, Field(max_length=25), AfterValidator(one_line)]
Line50 = Annotated[str, Field(max_length=50), AfterValidator(one_line)]
Line255 = Annotated[str, Field(max_length=255), AfterValidator(one_line)]
Day = Annotated[str, Field(json_schema_extra={"format": "date"}), AfterValidator(day_said)]
Line100 = Annotated[str, Field(max_length=LONGEST_SOURCE), AfterValidator(one_line)]
Text2000 = Annotated[str, Field(max_length=2000), AfterValidator(admitted)]
Month = Annotated[int, Field(ge=1, le=12), BeforeValidator(_number)]
DayOfMonth = Annotated[int, Field(ge=1, le=31), BeforeValidator(_number)]
Blank = BeforeValidator(_none_if_blank)
Answer = Annotated[
    Text2000 | None,
    BeforeValidator(_answer),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": 2000}, {"type": "boolean"}, {"type": "null"}]}),
]
Country = Annotated[str | None, Blank, AfterValidator(_country)]


@dataclass(frozen=True)
class Reading:
    """What is to be known of a body beside its fields.

    `ignored` are names that said something and were not understood; `plain` tells that every name was a
    documented one, as in the HTML and the scripts that we hand out; `trap` is what stood in the form's own
    trap (services/forms/honeypot.py), None where the body had none.
    """

    ignored: tuple[str, ...] = ()
    plain: bool = True
    trap: str | None = None


class Submission(BaseModel):
    """A valid sign-up. `email` is trimmed, lower-cased and has an IDNA domain: it is the contact's key."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, strict=True)

    email: Address
    first_name: Annotated[Line50 | None, Blank] = None
    last_name: Annotated[Line50 | None, Blank] = None
    job_title: Annotated[Line50 | None, Blank] = None
    company_name: Annotated[Line50 | None, Blank] = None
    phone: Annotated[Line25 | None, Blank] = None
    birthday_month: Annotated[Month | None, Blank] = None
    birthday_day: Annotated[DayOfMonth | None, Blank, AfterValidator(_day_of_month)] = Field(
        default=None, validate_default=True, description="Goes with birthday_month."
    )
    anniversary: Annotated[Day | None, Blank] = Field(
        default=None, description="A day that matters to you both, such as the first order: YYYY-MM-DD."
    )
    street: Annotated[Line255 | None, Blank] = Field(default=None, description="Of the home address.")
    city: Annotated[Line50 | None, Blank] = None
    state: Annotated[Line50 | None, Blank] = None
    postal_code: Annotated[Line50 | None, Blank] = None
    country: Annotated[Line50 | None, Blank] = None
    list_ids: Annotated[
        tuple[ListId, ...],
        Field(max_length=50, description="In an HTML form, repeat the field; or one text with commas."),
        AfterValidator(_each_once),
    ] = ()
    form: Annotated[str | None, Field(max_length=50), Blank] = Field(
        default=None, description="The short name of a form made in the dashboard, which knows its lists."
    )
    source: Annotated[Line100 | None, Blank] = Field(
        default=None, description="Where it came from, in your words."
    )
    consent: Answer = Field(
        default=None,
        description="What the person said: the wording or version agreed to, or true; false or nothing where "
        "they did not agree. Kept as evidence.",
    )
    redirect: Annotated[str | None, BeforeValidator(_none_if_unusable)] = Field(
        default=None, description="For forms: where to go afterwards, on a site of ALLOWED_ORIGINS."
    )
    # A page sends it unseen, so a wrong one costs no sign-up.
    referrer: Annotated[str | None, BeforeValidator(bare_page)] = Field(
        default=None, description="Where the visitor came to the form's page from; kept without its query."
    )

    sms_number: Annotated[Line25 | None, Blank] = Field(
        default=None, description="For text messages, with its country or sms_country; goes with sms_consent."
    )
    sms_country: Country | None = Field(
        default=None, description="Of a number without one: two letters of ISO 3166."
    )
    sms_consent: Answer = Field(default=None, description="The same for text messages.")

    form_token: Annotated[str | None, BeforeValidator(_none_if_unusable)] = Field(
        default=None, description="From GET /forms/<slug>/token; tells when the form was shown."
    )
    altcha: Annotated[str | None, BeforeValidator(_none_if_unusable)] = Field(
        default=None, description="The answer to GET /forms/<slug>/challenge, as ALTCHA sends it."
    )
    website: Annotated[str, BeforeValidator(_as_text)] = Field(
        default="", description="Passed over, but for HTML copied from an earlier release: its hidden field."
    )
    captcha: Annotated[str | None, BeforeValidator(_none_if_no_text)] = Field(
        default=None, description="The answer of a third party's captcha, where the form asks for one."
    )

    # None, not empty: an Idempotency-Key's hash of the fields that were there before stays what it was.
    custom_fields: Annotated[CustomFields | None, Blank] = Field(
        default=None,
        description="The account's custom fields by name; an HTML form sends custom_fields[name].",
    )
    tags: Tags | None = Field(default=None, description="By name. In an HTML form, repeat the field.")

    returning: Annotated[str | None, Blank, AfterValidator(_returning)] = Field(
        default=None,
        description="With an API key: accept, when you know that it is the person's own wish to come back.",
        json_schema_extra={"enum": ["accept", None]},
    )

    # No field: a body cannot say it, and it makes no difference to an Idempotency-Key.
    _reading: Reading = PrivateAttr(default_factory=Reading)

    @property
    def reading(self) -> Reading:
        """What its body showed beside the fields."""
        return self._reading

    def read_as(self, reading: Reading) -> Submission:
        """The same with what its body showed beside the fields."""
        made = self.model_copy()
        made._reading = reading
        return made

    @property
    def chooses_lists(self) -> bool:
        """Whether lists were named at all, if only to name none."""
        return "list_ids" in self.model_fields_set

    @property
    def person(self) -> dict[str, str]:
        """What was said about the person, empty fields left out."""
        return {name: str(value) for name in PERSON_FIELDS if (value := getattr(self, name))}
