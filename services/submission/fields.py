"""The one table of a sign-up's fields: a row of `Submission` is a field, and everything else derives from it.

A further property of the vendor's contact is one more row with `Asked`: by it forms may ask for the field,
pages draw it, bodies name it, exports have it and Constant Contact gets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from services.submission.custom_fields import CustomFields, Tags
from services.submission.field_types import (
    Address,
    Answer,
    Blank,
    CaptchaAnswer,
    Country,
    Hidden,
    ListIds,
    Optional25,
    Optional50,
    Optional100,
    Optional255,
    OptionalDay,
    OptionalDayOfMonth,
    OptionalMonth,
    Page,
    Returning,
    Trap,
)

# What the widgets of third parties' captchas call their answer.
WIDGET_FIELDS = ("cf-turnstile-response", "h-captcha-response", "g-recaptcha-response")
# Half a birthday is none.
BIRTHDAY_FIELDS = ("birthday_month", "birthday_day")
SMS_FIELDS = ("sms_number", "sms_country", "sms_consent")
# What stands in a nested object of the vendor's besides what was submitted.
_NESTED = {"street_address": {"kind": "home"}}


@dataclass(frozen=True)
class Aliases:
    """Other names of a field, in letters and digits only (see field_names.py beside this module)."""

    names: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A field that a form may ask a person for.

    Args:
        label: what a form calls it, unless an admin writes something else.
        input: its type in HTML.
        autocomplete: its token of the HTML standard.
        longest: where a browser cuts what is pasted. None where a cut value would be another one, as of a
            number or a day: one that is too long comes back with a sentence instead.
        vendor: its property of the vendor's contact, with a dot before a part of a nested one; None where it
            is not sent as such. A form that protects contacts sets it only where the contact has none.
        integer: Constant Contact takes it as a number.
        text_only: in JSON a number is refused by the field's type, and not taken for its digits.
        column: its name in exports, where it is not the field's own.
    """

    label: str
    input: str = "text"
    autocomplete: str = "off"
    longest: int | None = None
    vendor: str | None = None
    integer: bool = False
    text_only: bool = False
    column: str | None = None


@dataclass(frozen=True, kw_only=True)
class PagesOwn:
    """A field that no visitor sees or can mend: a wrong one costs no sign-up.

    Args:
        text_only: as in `Asked`.
        recorded: what it is called where a sign-up is shown, for one that is stored in a column of its own.
    """

    text_only: bool = False
    recorded: str | None = None


@dataclass(frozen=True)
class Reading:
    """What a body showed beside its fields.

    `ignored` are names with a value that were not understood; `plain` tells that every name was a
    documented one, as in the HTML and the scripts that we hand out; `trap` is what stood in the form's own
    trap (services/forms/honeypot.py), None where the body had none.
    """

    ignored: tuple[str, ...] = ()
    plain: bool = True
    trap: str | None = None


class Submission(BaseModel):
    """A valid sign-up. `email` is trimmed, lower-cased and has an IDNA domain: it is the contact's key.

    Errors, exports and the hash of an Idempotency-Key follow the order of the rows: new ones come last in
    their group.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, strict=True)

    email: Annotated[
        Address,
        Asked(label="E-mail", input="email", autocomplete="email", text_only=True),
        Aliases("emailaddress emailaddr emailid mail mailaddress merge0 emailfield"),
    ]
    first_name: Annotated[
        Optional50,
        Asked(label="First name", autocomplete="given-name", longest=50, vendor="first_name"),
        Aliases("firstname fname givenname forename namefirst merge1"),
    ] = None
    last_name: Annotated[
        Optional50,
        Asked(label="Last name", autocomplete="family-name", longest=50, vendor="last_name"),
        Aliases("lastname lname surname familyname namelast merge2"),
    ] = None
    job_title: Annotated[
        Optional50,
        Asked(label="Job title", autocomplete="organization-title", longest=50, vendor="job_title"),
        Aliases("jobtitle job"),
    ] = None
    company_name: Annotated[
        Optional50,
        Asked(label="Company", autocomplete="organization", longest=50, vendor="company_name"),
        Aliases("company organization organisation org business businessname employer"),
    ] = None
    phone: Annotated[
        Optional25,
        Asked(label="Phone", input="tel", autocomplete="tel", vendor="phone_number"),
        Aliases(
            "phonenumber phoneno phonenum telephone telephonenumber tel mobile mobilephone mobilenumber"
            " mobileno cell cellphone"
        ),
    ] = None
    # Text: a browser shows nothing of what is no number in a field for numbers.
    birthday_month: Annotated[
        OptionalMonth,
        Asked(
            label="Month of birth (1 to 12)", autocomplete="bday-month", vendor="birthday_month", integer=True
        ),
        Aliases("birthmonth bdaymonth dobmonth"),
    ] = None
    birthday_day: Annotated[
        OptionalDayOfMonth,
        Asked(label="Day of birth", autocomplete="bday-day", vendor="birthday_day", integer=True),
        Aliases("birthdateday bdayday dobday"),
    ] = Field(default=None, validate_default=True, description="Goes with birthday_month.")
    anniversary: Annotated[
        OptionalDay, Asked(label="Anniversary (YYYY-MM-DD)", vendor="anniversary", text_only=True)
    ] = Field(
        default=None, description="A day that matters to you both, such as the first order: YYYY-MM-DD."
    )
    street: Annotated[
        Optional255,
        Asked(label="Street", autocomplete="address-line1", longest=255, vendor="street_address.street"),
        Aliases(
            "address address1 addr addr1 addressline1 line1 streetaddress street1 streetaddress1 streetline1"
        ),
    ] = Field(default=None, description="Of the home address.")
    city: Annotated[
        Optional50,
        Asked(label="City", autocomplete="address-level2", longest=50, vendor="street_address.city"),
        Aliases("town locality addresscity"),
    ] = None
    # In exports the column `state` is the delivery's.
    state: Annotated[
        Optional50,
        Asked(
            label="State",
            autocomplete="address-level1",
            longest=50,
            vendor="street_address.state",
            column="address_state",
        ),
        Aliases("province region stateprovince provincestate statecode addressstate"),
    ] = None
    postal_code: Annotated[
        Optional50,
        Asked(label="Postal code", autocomplete="postal-code", vendor="street_address.postal_code"),
        Aliases("zip zipcode postal postcode zippostalcode postalzip addresszip"),
    ] = None
    country: Annotated[
        Optional50,
        Asked(label="Country", autocomplete="country-name", longest=50, vendor="street_address.country"),
        Aliases("countrycode countryname addresscountry"),
    ] = None
    list_ids: Annotated[ListIds, Aliases("listmemberships")] = Field(
        default=(), description="In an HTML form, repeat the field; or one text with commas."
    )
    form: Annotated[str | None, Field(max_length=50), Blank] = Field(
        default=None, description="The short name of a form made at /admin/forms/, which knows its lists."
    )
    source: Annotated[Optional100, PagesOwn(), Aliases("signupsource leadsource")] = Field(
        default=None, description="Where it came from, in your words."
    )
    consent: Answer = Field(
        default=None,
        description="What the person said: the wording or version agreed to, or true; false or nothing where "
        "they did not agree. Kept as evidence.",
    )
    redirect: Annotated[Hidden, PagesOwn(text_only=True), Aliases("redirecturl redirectto")] = Field(
        default=None, description="For forms: where to go afterwards, on a site of ALLOWED_ORIGINS."
    )
    referrer: Annotated[Page, PagesOwn(text_only=True, recorded="Came from"), Aliases("referer")] = Field(
        default=None, description="Where the visitor came to the form's page from; kept without its query."
    )

    sms_number: Annotated[
        Optional25,
        Asked(label="Mobile number for text messages", input="tel", autocomplete="tel"),
        Aliases("smsphone smsphonenumber"),
    ] = Field(
        default=None, description="For text messages, with its country or sms_country; goes with sms_consent."
    )
    sms_country: Country | None = Field(
        default=None, description="Of a number without one: two letters of ISO 3166."
    )
    sms_consent: Answer = Field(default=None, description="The same for text messages.")

    form_token: Annotated[Hidden, PagesOwn()] = Field(
        default=None, description="From GET /forms/<slug>/token; tells when the form was shown."
    )
    altcha: Annotated[Hidden, PagesOwn()] = Field(
        default=None, description="The answer to GET /forms/<slug>/challenge, as ALTCHA sends it."
    )
    website: Annotated[Trap, PagesOwn()] = Field(
        default="", description="Passed over, but for HTML copied from an earlier release: its hidden field."
    )
    captcha: Annotated[CaptchaAnswer, PagesOwn()] = Field(
        default=None, description="The answer of a third party's captcha, where the form asks for one."
    )

    # None, not empty: an Idempotency-Key's hash of the fields that were there before stays what it was.
    custom_fields: Annotated[CustomFields | None, Blank] = Field(
        default=None,
        description="The account's custom fields by name; an HTML form sends custom_fields[name].",
    )
    tags: Annotated[Tags | None, Aliases("tag")] = Field(
        default=None, description="By name. In an HTML form, repeat the field."
    )

    returning: Returning = Field(
        default=None,
        description="With an API key: accept, when you know that it is the person's own wish to come back.",
        json_schema_extra={"enum": ["accept", None]},
    )

    # No field: a body cannot say it, and it makes no difference to an Idempotency-Key.
    _reading: Reading = PrivateAttr(default_factory=Reading)

    @property
    def reading(self) -> Reading:
        """See `Reading`."""
        return self._reading

    def read_as(self, reading: Reading) -> "Submission":
        """Return the same with another `Reading`."""
        made = self.model_copy()
        made._reading = reading
        return made

    @property
    def chooses_lists(self) -> bool:
        """Whether the body named lists, even an empty array."""
        return "list_ids" in self.model_fields_set

    @property
    def person(self) -> dict[str, str]:
        """The fields about the person that are not empty, as text."""
        return {name: str(value) for name in PERSON_FIELDS if (value := getattr(self, name))}


Kind = TypeVar("Kind", Aliases, Asked, PagesOwn)


def _noted(kind: type[Kind]) -> Mapping[str, Kind]:
    """Return the notes of one kind in the rows of `Submission`, by the field's name, in their order."""
    fields = Submission.model_fields.items()
    found = {name: note for name, field in fields for note in field.metadata if isinstance(note, kind)}
    return MappingProxyType(found)


ASKED = _noted(Asked)
ALIASES: Mapping[str, str] = {name: note.names for name, note in _noted(Aliases).items()}
UNSEEN = frozenset(_noted(PagesOwn))
RECORDED: Mapping[str, str] = {name: own.recorded for name, own in _noted(PagesOwn).items() if own.recorded}
# Where a number in JSON is left to the field's type, and elsewhere taken for its digits.
NUMBERS_AS_SENT = frozenset(
    {name for name, asked in ASKED.items() if asked.text_only or asked.integer}
    | {name for name, own in _noted(PagesOwn).items() if own.text_only}
)
# The path of each field about a person in the vendor's contact.
VENDOR_PATHS: Mapping[str, str] = {name: asked.vendor for name, asked in ASKED.items() if asked.vendor}
VENDOR_PROPERTIES = tuple(dict.fromkeys(path.partition(".")[0] for path in VENDOR_PATHS.values()))
PERSON_FIELDS = tuple(VENDOR_PATHS)
STREET_FIELDS = frozenset(name for name, path in VENDOR_PATHS.items() if path.startswith("street_address."))


def vendor_properties(person: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields about a person by the properties of the vendor's contact."""
    found: dict[str, Any] = {}
    for name, value in person.items():
        outer, _, inner = VENDOR_PATHS[name].partition(".")
        typed = int(value) if ASKED[name].integer else value
        if inner:
            found.setdefault(outer, dict(_NESTED.get(outer, {})))[inner] = typed
        else:
            found[outer] = typed
    return found
