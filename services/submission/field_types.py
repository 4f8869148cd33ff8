"""The types of a sign-up's fields: their limits, the value that is kept, and sentences for wrong ones.

The limits are the vendor's for POST /contacts/sign_up_form (names 50, phone 25, street 255, 50 lists) and
POST /contacts (e-mail address 80): https://developer.constantcontact.com/api_guide/contacts_create_or_update.html
"""

import re
from calendar import monthrange
from functools import lru_cache
from typing import Annotated
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from services.plain_text import NOT_TEXT, admitted, one_line
from services.submission import consent as consents
from services.submission.values.days import parse_day
from services.submission.values.host_names import UnusableName, in_ascii
from services.submission.values.pasted_addresses import as_meant
from services.submission.web_origins import bare_page

# Before the @ by RFC 5321 §4.5.3.1.1, which the vendor holds too.
LONGEST_ADDRESS, LONGEST_LOCAL_PART, LONGEST_SOURCE = 80, 64, 100
MOST_DIGITS, LEAP_YEAR = 4, 2024
# Fast path: always valid before the @. Everything else goes through email-validator.
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
    """Return a valid domain in ASCII; cached, as this costs more than all other fields of a sign-up."""
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
    """Drop repeated ids, which were made alike before: one id has several spellings."""
    return tuple(dict.fromkeys(list_ids))


def _number(value: object) -> object:
    """Return the number of a text such as "07", as forms send it."""
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else value


def _day_of_month(day: int | None, info: ValidationInfo) -> int | None:
    # A month that was refused is not in `data`.
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
    """Return one text for a consent: a ticked box may be true or 1, and a name may come several times."""
    texts = [_single(each) for each in (value if isinstance(value, list | tuple) else [value])]
    return value if None in texts else consents.answer(each for each in texts if each)


def _single(value: object) -> str | None:
    """Return a value as text, empty for null; None for an array or object."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    return "" if value is None else None


def _none_if_unusable(value: object) -> object:
    """Drop a wrong value of a hidden field, which no visitor can mend: it costs no sign-up."""
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= 2000 else None


def _as_text(value: object) -> str:
    """Return any value as text: an error would tell a program that the field is a honeypot."""
    return "" if value is None or value is False else str(value)


def _none_if_no_text(value: object) -> object:
    """Drop what is no text: a visitor cannot mend what a widget sends, and its provider judges the text."""
    return value if isinstance(value, str) else None


Address = Annotated[
    str,
    Field(max_length=LONGEST_ADDRESS, json_schema_extra={"format": "email"}),
    BeforeValidator(_as_meant),
    AfterValidator(one_line),
    AfterValidator(_address),
]
ListId = Annotated[str, Field(json_schema_extra={"format": "uuid"}), AfterValidator(_list_id)]
ListIds = Annotated[tuple[ListId, ...], Field(max_length=50), AfterValidator(_each_once)]
Line25 = Annotated[str, Field(max_length=25), AfterValidator(one_line)]
Line50 = Annotated[str, Field(max_length=50), AfterValidator(one_line)]
Line255 = Annotated[str, Field(max_length=255), AfterValidator(one_line)]
Day = Annotated[str, Field(json_schema_extra={"format": "date"}), AfterValidator(parse_day)]
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
Optional25 = Annotated[Line25 | None, Blank]
Optional50 = Annotated[Line50 | None, Blank]
Optional100 = Annotated[Line100 | None, Blank]
Optional255 = Annotated[Line255 | None, Blank]
OptionalDay = Annotated[Day | None, Blank]
OptionalMonth = Annotated[Month | None, Blank]
OptionalDayOfMonth = Annotated[DayOfMonth | None, Blank, AfterValidator(_day_of_month)]
Country = Annotated[str | None, Blank, AfterValidator(_country)]
Returning = Annotated[str | None, Blank, AfterValidator(_returning)]
Hidden = Annotated[str | None, BeforeValidator(_none_if_unusable)]
Page = Annotated[str | None, BeforeValidator(bare_page)]
Trap = Annotated[str, BeforeValidator(_as_text)]
CaptchaAnswer = Annotated[str | None, BeforeValidator(_none_if_no_text)]
