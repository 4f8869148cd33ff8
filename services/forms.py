"""Forms that an admin makes: what they ask, which lists they lead to, and the consent they show."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import structlog
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.errors import FieldError, InvalidForm, InvalidSubmission
from services.origins import origin_of
from services.submission import BIRTHDAY_FIELDS, PERSON_FIELDS, Blank, ListId, Submission, Text2000
from store import Forms, StoredForm, StoreError

log = structlog.get_logger(__name__)

KEEP_SECONDS = 5.0
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")

FieldName = Literal[
    "email",
    "first_name",
    "last_name",
    "job_title",
    "company_name",
    "phone",
    "birthday_month",
    "birthday_day",
    "anniversary",
    "street",
    "city",
    "state",
    "postal_code",
    "country",
]
FIELD_NAMES: tuple[FieldName, ...] = get_args(FieldName)
# none: the honeypot alone, which guards every anonymous sign-up; standard: also the time it took to fill in;
# captcha: a proof of work besides.
ProtectionLevel = Literal["none", "standard", "captcha"]
# What Constant Contact takes in a day.
MOST_PENDING = 10_000
REQUIRED = "This field is required."
TAKEN = "There is a form of this short name already, maybe an archived one. Choose another."
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


def _origin(value: str) -> str:
    origin = origin_of(value)
    if origin is None:
        raise ValueError(f"“{value}” is not a site's address like https://www.example.org.")
    return origin


def _with_plain_breaks(value: object) -> object:
    # Browsers post line breaks as CR LF: the same wording must not look like a new one.
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _web_address(value: str) -> str:
    # urlsplit alone takes what browsers read otherwise.
    if origin_of(value) is None or urlsplit(value).scheme not in {"http", "https"}:
        raise ValueError("Enter a whole address like https://www.example.org/thank-you.")
    return value


def _with_the_address(fields: tuple[FormField, ...]) -> tuple[FormField, ...]:
    """Each field once, a birthday whole, and `email` required: without an address there is no sign-up."""
    once = {field.name: field for field in fields}
    if len(once.keys() & set(BIRTHDAY_FIELDS)) == 1:
        # Every sign-up with half a birthday would be refused.
        raise ValueError("Ask for the month and the day of birth together, or for neither.")
    email = once.pop("email", None)
    label = email.label if email else "E-mail"
    return (FormField(name="email", label=label, required=True), *once.values())


LongText = Annotated[Text2000 | None, Blank, BeforeValidator(_with_plain_breaks)]
MostPending = Annotated[
    int, Field(ge=0, le=1_000_000), BeforeValidator(lambda value: MOST_PENDING if value == "" else value)
]
WebAddress = Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]


class FormField(BaseModel):
    """One thing a form asks for; `name` is a field of POST /subscribe."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    name: FieldName
    label: Annotated[str, Field(min_length=1, max_length=100)]
    required: bool = False


class Consent(BaseModel):
    """What a person agrees to; a wording never changes, a new one is the next version."""

    model_config = ConfigDict(frozen=True)

    version: int
    wording: str

    @property
    def reference(self) -> str:
        """What a page sends for it, so that the sign-up tells which wording the person had before them."""
        return f"version {self.version}"


class FormDraft(BaseModel):
    """A form as an admin fills it in."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    slug: Annotated[str, Field(pattern=f"^{SLUG.pattern}$")]
    name: Annotated[str, Field(min_length=1, max_length=50)]
    list_ids: Annotated[tuple[ListId, ...], Field(min_length=1, max_length=50)]
    fields: Annotated[tuple[FormField, ...], AfterValidator(_with_the_address)] = ()
    wording: LongText = None
    thank_you_message: LongText = None
    thank_you_url: Annotated[WebAddress | None, Blank] = None
    origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...],
        Field(max_length=20),
        BeforeValidator(lambda value: tuple(dict.fromkeys(value))),
    ] = ()
    protection: ProtectionLevel = "none"
    most_pending: MostPending = MOST_PENDING


class Form(BaseModel):
    """A form in use. `origins` are the sites whose scripts may post it and whose pages it may lead to."""

    model_config = ConfigDict(frozen=True)

    id: int
    slug: str
    name: str
    list_ids: tuple[str, ...]
    fields: tuple[FormField, ...]
    wordings: tuple[str, ...]
    thank_you_message: str | None
    thank_you_url: str | None
    origins: tuple[str, ...]
    archived: bool
    # Forms saved before there was a choice are on sites as plain HTML, which brings no token.
    protection: ProtectionLevel = "none"
    # How many of its sign-ups may wait for their delivery; 0 for any number.
    most_pending: int = MOST_PENDING

    @property
    def consent(self) -> Consent | None:
        """What it asks to agree to today."""
        return self._version(len(self.wordings))

    def agreed(self, sent: str | None) -> Consent | None:
        """The wording that was agreed to: the one that `sent` refers to or repeats, otherwise today's.

        HTML that was pasted into a site goes on showing the wording of that day.
        """
        ever = [self._version(number) for number in range(len(self.wordings), 0, -1)]
        named = (consent for consent in ever if consent and sent in (consent.reference, consent.wording))
        return next(named, self.consent)

    def _version(self, number: int) -> Consent | None:
        wording = self.wordings[number - 1] if number else ""
        return Consent(version=number, wording=wording) if wording else None

    @property
    def field_names(self) -> frozenset[str]:
        """What it asks for; other fields of a post are none of it."""
        return frozenset(field.name for field in self.fields)

    @property
    def redirects(self) -> frozenset[str]:
        """The origins its visitors may be sent to."""
        own = origin_of(self.thank_you_url) if self.thank_you_url else None
        return frozenset(self.origins) | ({own} if own else frozenset())


def fit(submission: Submission, form: Form) -> tuple[Submission, Consent | None]:
    """The submission as `form` takes it, and what was agreed to.

    It joins the form's lists, or those of them that were chosen, and keeps the form's fields only.

    Raises:
        InvalidSubmission: a field that the form requires is missing, its consent included.
    """
    missing = [field.name for field in form.fields if field.required and not getattr(submission, field.name)]
    errors = [FieldError(name, REQUIRED) for name in missing]
    if form.consent and not submission.consent:
        errors.append(FieldError("consent", "Please agree to this first."))
    if errors:
        raise InvalidSubmission(errors)
    chosen = tuple(list_id for list_id in submission.list_ids if list_id in form.list_ids)
    # What the form does not ask for, nobody may set by it.
    foreign = dict.fromkeys(set(PERSON_FIELDS) - form.field_names)
    agreed = form.agreed(submission.consent) if submission.consent else None
    consent = {"consent": agreed.wording} if agreed else {}
    fitted = submission.model_copy(update={"list_ids": chosen or form.list_ids, **foreign, **consent})
    return fitted, agreed


class FormDirectory:
    """The forms. Looking one up is on every sign-up's way, so they are kept for five seconds."""

    def __init__(
        self,
        forms: Forms,
        *,
        clock: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` tells epoch ms, `monotonic` seconds."""
        self._forms = forms
        self._clock = clock
        self._monotonic = monotonic
        self._known: Mapping[str, Form] = {}
        self._read_at: float | None = None

    def find(self, slug: str) -> Form | None:
        """The form in use of that slug; a change by another process counts after 5 s, a new form at once.

        While the store is away the forms last seen serve on, so that sign-ups are still taken.
        """
        form = self._kept().get(slug) or self.get(slug)
        return None if form is None or form.archived else form

    def seen(self, slug: str | None) -> Form | None:
        """The same for an answer that must not fail: None as well while no form can be read."""
        try:
            return self.find(slug) if slug else None
        except StoreError:
            return None

    def origins(self) -> frozenset[str]:
        """Every site whose scripts some form in use allows; none while the store is away from the start."""
        try:
            kept = self._kept().values()
        except StoreError:
            return frozenset()
        return frozenset(origin for form in kept if not form.archived for origin in form.origins)

    def all(self) -> list[Form]:
        """Every form by name, archived ones included. Raises store.StoreUnavailable."""
        return [_form(row) for row in self._forms.all()]

    def get(self, slug: str) -> Form | None:
        """The form of that slug as it is stored now, archived or not. Raises store.StoreUnavailable."""
        # What can be no slug is not asked for: PostgreSQL takes no NUL.
        row = self._forms.find(slug) if SLUG.fullmatch(slug) else None
        return None if row is None else _form(row)

    def save(self, entered: Mapping[str, Any], *, new: bool = False) -> Form:
        """Create or change the form of the slug entered; `new` refuses a slug that any form ever had.

        Raises:
            InvalidForm: something is missing or wrong; nothing was changed.
        """
        try:
            draft = FormDraft.model_validate(entered)
        except ValidationError as error:
            raise InvalidForm(_field_errors(error)) from None
        if new and self._forms.find(draft.slug):
            raise InvalidForm([FieldError("slug", TAKEN)])
        row = self._forms.save(
            draft.slug,
            name=draft.name,
            definition=draft.model_dump(exclude={"slug", "name", "wording"}),
            wording=draft.wording,
            now=self._clock(),
        )
        form = _form(row)
        self._known, self._read_at = {**self._known, form.slug: form}, None
        return form

    def archive(self, slug: str) -> bool:
        """Stop taking sign-ups for the form; False when there is none of that slug in use."""
        archived = self._forms.archive(slug, now=self._clock())
        self._read_at = None
        return archived

    def _kept(self) -> Mapping[str, Form]:
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= KEEP_SECONDS:
            try:
                self._known = {row.slug: _form(row) for row in self._forms.all()}
            except StoreError as error:
                if self._read_at is None and not self._known:
                    raise
                log.warning("forms_not_read", error=type(error).__name__)
            self._read_at = now
        return self._known


def _form(row: StoredForm) -> Form:
    return Form.model_validate(
        {
            **row.definition,
            "id": row.id,
            "slug": row.slug,
            "name": row.name,
            "wordings": row.wordings,
            "archived": row.archived_at is not None,
        }
    )


def _field_errors(error: ValidationError) -> list[FieldError]:
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
