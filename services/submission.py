"""A sign-up as it is submitted: the fields, their limits, and sentences for what is wrong with them.

The limits are the vendor's for POST /contacts/sign_up_form (names 50, phone 25, street 255, 50 lists) and
POST /contacts (e-mail address 80): https://developer.constantcontact.com/api_guide/contacts_create_or_update.html
"""

from __future__ import annotations

import json
import re
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

from services.custom_input import CustomFields, Tags, custom_name, field_of, gathered_tags
from services.errors import FieldError, InvalidSubmission, MalformedSubmission
from services.plain_text import NOT_TEXT
from services.plain_text import without_controls as _without_controls
from services.plain_text import without_controls_but_breaks as _without_controls_but_breaks

OLDER_SPELLINGS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "jobTitle": "job_title",
    "companyName": "company_name",
    "listId": "list_id",
    "listIds": "list_ids",
}
BIRTHDAY_FIELDS = ("birthday_month", "birthday_day")
STREET_FIELDS = ("street", "city", "state", "postal_code", "country")
PERSON_FIELDS = (
    *("first_name", "last_name", "job_title", "company_name", "phone"),
    *(*BIRTHDAY_FIELDS, "anniversary", *STREET_FIELDS),
)
# Far more than a form has; what comes behind would only cost time.
MOST_VALUES, MOST_LEVELS = 500, 10
LONGEST_ADDRESS = 80
MOST_DIGITS, LEAP_YEAR = 4, 2024
NO_LIST = "Choose at least one list: send list_id, list_ids or form."
# Never in doubt before the @; all else is for the library to judge.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
TOO_MANY = f"The body has more than {MOST_VALUES} values."
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
THINGS = {"list_ids": "lists", "tags": "tags", "custom_fields": "custom fields"}


def _address(value: str) -> str:
    name, _, domain = value.rpartition("@")
    try:
        address = f"{name}@{_domain(domain)}" if PLAIN_NAME.fullmatch(name) else _judged(value)
    except EmailNotValidError:
        raise ValueError("Enter an e-mail address like name@example.org.") from None
    if len(address) > LONGEST_ADDRESS:
        # A domain in other letters grows when it is written in ASCII.
        raise ValueError(SENTENCES["string_too_long"].format(max_length=LONGEST_ADDRESS))
    # Capital letters in an address have produced 409s at the vendor.
    return address.lower()


@lru_cache(maxsize=1024)
def _domain(domain: str) -> str:
    """A valid domain in ASCII; kept, because the judgement costs more than the rest of a sign-up's fields."""
    return _judged(f"name@{domain}").partition("@")[2]


def _judged(address: str) -> str:
    # The vendor wants the domain in ASCII.
    return validate_email(address, check_deliverability=False, allow_smtputf8=False).ascii_email or address


def _list_id(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueError("This is not a list id; GET /lists shows the ids.") from None


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


def _day(value: str) -> str:
    try:
        return datetime.strptime(value, "%Y-%m-%d").date().isoformat()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise ValueError("Enter a date like 2006-11-15: year, month, day.") from None


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _none_if_unusable(value: object) -> object:
    """A visitor cannot mend a form's hidden field: a wrong one leads to our own page and costs no sign-up."""
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= 2000 else None


Address = Annotated[
    str,
    Field(max_length=LONGEST_ADDRESS, json_schema_extra={"format": "email"}),
    AfterValidator(_without_controls),
    AfterValidator(_address),
]
ListId = Annotated[str, Field(json_schema_extra={"format": "uuid"}), AfterValidator(_list_id)]
Line25 = Annotated[str, Field(max_length=25), AfterValidator(_without_controls)]
Line50 = Annotated[str, Field(max_length=50), AfterValidator(_without_controls)]
Line255 = Annotated[str, Field(max_length=255), AfterValidator(_without_controls)]
Day = Annotated[str, Field(json_schema_extra={"format": "date"}), AfterValidator(_day)]
Line100 = Annotated[str, Field(max_length=100), AfterValidator(_without_controls)]
Text2000 = Annotated[str, Field(max_length=2000), AfterValidator(_without_controls_but_breaks)]
Month = Annotated[int, Field(ge=1, le=12), BeforeValidator(_number)]
DayOfMonth = Annotated[int, Field(ge=1, le=31), BeforeValidator(_number)]
Blank = BeforeValidator(_none_if_blank)


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
        tuple[ListId, ...], Field(max_length=50, description="In an HTML form, repeat the field.")
    ] = ()
    form: Annotated[str | None, Field(max_length=50), Blank] = Field(
        default=None, description="The short name of a form made in the dashboard, which knows its lists."
    )
    source: Annotated[Line100 | None, Blank] = Field(
        default=None, description="Where it came from, in your words."
    )
    consent: Annotated[Text2000 | None, Blank] = Field(
        default=None, description="The wording or version the person agreed to; kept as evidence."
    )
    redirect: Annotated[str | None, BeforeValidator(_none_if_unusable)] = Field(
        default=None, description="For forms: where to go afterwards, on a site of ALLOWED_ORIGINS."
    )
    # None, not empty: an Idempotency-Key's hash of the fields that were there before stays what it was.
    custom_fields: Annotated[CustomFields | None, Blank] = Field(
        default=None,
        description="The account's custom fields by name; an HTML form sends custom_fields[name].",
    )
    tags: Tags | None = Field(default=None, description="By name. In an HTML form, repeat the field.")

    @property
    def person(self) -> dict[str, str]:
        """What was said about the person, empty fields left out."""
        return {name: str(value) for name in PERSON_FIELDS if (value := getattr(self, name))}


def read_json(raw: bytes) -> Submission:
    """Read a JSON body.

    Raises:
        MalformedSubmission: it is not JSON in UTF-8, names a field twice, or is too large or too deep.
        InvalidSubmission: it is not an object, or fields are missing or wrong.
    """
    try:
        document = _DECODER.decode(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise MalformedSubmission("The body is not valid JSON.") from None
    _check_size(document)
    if not isinstance(document, dict):
        raise InvalidSubmission([FieldError("body", "Send one JSON object with the fields of the sign-up.")])
    return _read(document)


def read_form(pairs: Iterable[tuple[str, str]]) -> Submission:
    """Read the pairs of an HTML form; a name may be repeated and may end in [].

    Raises:
        MalformedSubmission: there are too many.
        InvalidSubmission: fields are missing or wrong.
    """
    fields: dict[str, Any] = {}
    custom_fields: dict[str, list[str]] = {}
    for number, (raw_name, value) in enumerate(pairs):
        if number == MOST_VALUES:
            raise MalformedSubmission(TOO_MANY)
        name = OLDER_SPELLINGS.get(raw_name.removesuffix("[]"), raw_name.removesuffix("[]"))
        if name in {"list_id", "list_ids", "tags"}:
            fields.setdefault(name, []).append(value)
        elif custom := custom_name(name):
            custom_fields.setdefault(custom, []).append(value)
        else:
            fields[name] = value
    return _read({"custom_fields": custom_fields} | fields)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 §6 has no NaN and no Infinity


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        # RFC 8259 §4 leaves open which one counts: what somebody else checked may not be what we store.
        raise MalformedSubmission("The body names a field twice.")
    return fields


_DECODER = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_once_each)


def _check_size(document: object) -> None:
    level, values = [document], 0
    for _ in range(MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer)]
        values += len(level)
        if values > MOST_VALUES:
            raise MalformedSubmission(TOO_MANY)
        if not level:
            return
    raise MalformedSubmission("The body is nested too deeply.")


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _read(document: Mapping[str, Any]) -> Submission:
    fields = {OLDER_SPELLINGS.get(name, name): value for name, value in document.items()}
    spelling = "list_id" if "list_id" in fields and "list_ids" not in fields else "list_ids"
    fields["list_ids"] = _gather_lists(fields.pop("list_id", None), fields.get("list_ids"))
    if "tags" in fields:
        fields["tags"] = gathered_tags(fields["tags"])
    errors: list[FieldError] = []
    if not fields["list_ids"] and not fields.get("form"):
        errors.append(FieldError(spelling, NO_LIST))
    try:
        submission = Submission.model_validate(fields)
    except ValidationError as error:
        errors = [_field_error(detail, spelling) for detail in error.errors()] + errors
    if errors:
        raise InvalidSubmission(_once_per_field(errors))
    return submission


def _gather_lists(*values: object) -> object:
    """One tuple of distinct ids out of list_id and list_ids, each a text or an array."""
    gathered: list[object] = []
    for value in values:
        if isinstance(value, list | tuple):
            gathered += value
        elif value is not None:
            gathered.append(value)
    return tuple(dict.fromkeys(v.strip() if isinstance(v, str) else repr(v) for v in gathered if v != ""))


def _field_error(detail: Any, spelling: str) -> FieldError:
    name = str(detail["loc"][0])
    if name == "custom_fields" and len(detail["loc"]) > 1:
        name = field_of(str(detail["loc"][1]))
    if detail["type"] == "value_error":
        sentence = str(detail["ctx"]["error"])
    else:
        sentence = SENTENCES[detail["type"]].format(**detail.get("ctx", {}), things=THINGS.get(name))
    return FieldError(spelling if name == "list_ids" else name, sentence)


def _once_per_field(errors: Iterable[FieldError]) -> list[FieldError]:
    return list({error.field: error for error in reversed(list(errors))}.values())[::-1]
