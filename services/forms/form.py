"""Forms that an admin makes: what they ask, which lists they lead to, and the consent they show."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from services.errors import FieldError, InvalidForm, InvalidSubmission
from services.forms.editor import (
    MOST_PENDING,
    REQUIRED,
    RESERVED_SLUGS,
    SLUG,
    FormDraft,
    FormField,
    ProtectionLevel,
    admitted_fields,
    field_errors,
)
from services.forms.honeypot import trap_name
from services.submission import consent, sms
from services.submission.both_consents import Consents, agreements
from services.submission.consent import Consent
from services.submission.custom_fields import CustomFieldValue, fold
from services.submission.fields import PERSON_FIELDS, SMS_FIELDS, Submission
from services.submission.web_origins import origin_of
from store.errors import StoreError
from store.forms import Forms, StoredForm
from store.recovery.forms_copy import FormsCopy

log = structlog.get_logger(__name__)

KEEP_SECONDS = 5.0
RESERVED = "This short name is kept for a page of this service. Choose another."
NONE_CHOSEN = "Choose at least one of this form's lists. If you see none here, go back to the page before."
TAKEN = "There is a form of this short name already, maybe an archived one. Choose another."


class Form(BaseModel):
    """A form in use. `origins` are the sites whose scripts may post it and whose pages it may lead to.

    With `protect_existing`, who posts it without an API key changes nothing that a contact already has.
    """

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
    protect_existing: bool = False
    sms_wordings: tuple[str, ...] = ()
    sms_country: str | None = None
    tags: tuple[str, ...] = ()
    # How many of its sign-ups may wait for their delivery; 0 for any number.
    most_pending: int = MOST_PENDING
    # Whether no HTML of it was ever handed out whose hidden field is called `website`
    # (services/forms/honeypot.py).
    own_trap: bool = False

    @property
    def consent(self) -> Consent | None:
        """What it asks to agree to today."""
        return consent.current(self.wordings)

    @property
    def sms_consent(self) -> Consent | None:
        """What it asks to agree to for text messages today; None where it asks for no number."""
        return consent.current(self.sms_wordings) if "sms_number" in self.field_names else None

    @property
    def trap(self) -> str:
        """What the field is called that people do not see."""
        return trap_name(self.slug)

    @property
    def field_names(self) -> frozenset[str]:
        """What it asks for; other fields of a post are none of it."""
        return frozenset(field.name for field in self.fields)

    @property
    def redirects(self) -> frozenset[str]:
        """The origins its visitors may be sent to."""
        own = origin_of(self.thank_you_url) if self.thank_you_url else None
        return frozenset(self.origins) | ({own} if own else frozenset())


def fit(submission: Submission, form: Form, *, trusted: bool) -> tuple[Submission, Consents]:
    """The submission as `form` takes it, and what was agreed to.

    It joins the form's lists and gets its tags, or those of them that were chosen, and keeps its fields only.
    `trusted` is the holder of an API key.

    Raises:
        InvalidSubmission: a field that the form requires is missing, its consent included, or a consent is
            unclear, or none of the form's lists was chosen.
    """
    asks_for_number = "sms_number" in form.field_names
    given = agreements(
        mail=(submission.consent, form.wordings),
        # A form without a number takes no consent to messages, so a strange one costs nothing.
        messages=(submission.sms_consent if asks_for_number else None, form.sms_wordings),
        trusted=trusted,
    )
    missing = [field.name for field in form.fields if field.required and not field.answered(submission)]
    errors = [FieldError(name, REQUIRED) for name in missing]
    if asks_for_number:
        errors += sms.mistakes(submission, given, form.sms_country)
    if form.consent and given.mail is None and not given.is_unclear("consent"):
        errors.append(FieldError("consent", "Please agree to this first."))
    chosen = tuple(list_id for list_id in submission.list_ids if list_id in form.list_ids)
    if submission.chooses_lists and not chosen:
        # Some page let the visitor choose: all of the form's lists are not what nobody chose.
        errors.append(FieldError("list_ids", NONE_CHOSEN))
    errors += given.unclear
    if errors:
        raise InvalidSubmission(errors)
    # What the form does not ask for, nobody may set by it.
    foreign = dict.fromkeys(set(PERSON_FIELDS) - form.field_names)
    if not asks_for_number:
        foreign |= dict.fromkeys(SMS_FIELDS)
    tags = tuple(tag for tag in submission.tags or () if tag in form.tags) or form.tags or None
    by_name = {"custom_fields": _own_custom_fields(submission, form), "tags": tags}
    fitted = submission.model_copy(update={"list_ids": chosen or form.list_ids, **foreign, **by_name})
    return fitted, given


def _own_custom_fields(submission: Submission, form: Form) -> dict[str, CustomFieldValue] | None:
    """What was said in the form's custom fields, by the names that the form has for them."""
    own = {fold(name): name for field in form.fields if (name := field.custom_field)}
    said = (submission.custom_fields or {}).items()
    return {own[fold(name)]: value for name, value in said if fold(name) in own} or None


class FormCatalog:
    """The forms. Looking one up is on every sign-up's way, so they are kept for five seconds."""

    def __init__(
        self,
        forms: Forms,
        *,
        clock: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
        copy: FormsCopy | None = None,
    ) -> None:
        """`clock` tells epoch ms, `monotonic` seconds; `copy` is for a start while the store is away."""
        self._copy = copy
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

    def known(self, slug: str) -> Form | None:
        """The same without a question to the store for a name that is not known yet."""
        try:
            form = self._kept().get(slug)
        except StoreError:
            return None
        return None if form is None or form.archived else form

    def in_use(self) -> list[Form]:
        """Every form that takes sign-ups, as `find` knows them. Raises store.StoreError."""
        return [form for form in self._kept().values() if not form.archived]

    def protected(self) -> list[Form]:
        """Every form with a protection, those in use first, then archived ones. Raises store.StoreError."""
        found = [form for form in self._kept().values() if form.protection != "none"]
        return sorted(found, key=lambda form: (form.archived, form.slug))

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
            draft = FormDraft.model_validate(admitted_fields(entered))
        except ValidationError as error:
            raise InvalidForm(field_errors(error)) from None
        before = self._forms.find(draft.slug)
        if new and before:
            raise InvalidForm([FieldError("slug", TAKEN)])
        # One of that name that is from before it was reserved may still be changed.
        if draft.slug in RESERVED_SLUGS and not before:
            raise InvalidForm([FieldError("slug", RESERVED)])
        own_trap = before is None or before.definition.get("own_trap", False)
        definition = draft.model_dump(exclude={"slug", "name", "wording", "sms_wording"})
        row = self._forms.save(
            draft.slug,
            name=draft.name,
            definition=definition | {"own_trap": own_trap},
            wording=draft.wording,
            sms_wording=draft.sms_wording,
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
                rows = self._forms.all()
                self._known = {row.slug: _form(row) for row in rows}
                if self._copy is not None:
                    self._copy.keep(rows)
            except StoreError as error:
                if self._read_at is None and not self._known:
                    self._known = self._copied()
                if self._read_at is None and not self._known:
                    raise
                log.warning("forms_not_read", error=type(error).__name__)
            self._read_at = now
        return self._known

    def _copied(self) -> Mapping[str, Form]:
        rows = self._copy.kept() if self._copy is not None else []
        try:
            return {row.slug: _form(row) for row in rows}
        except ValidationError:
            # Of another release, perhaps.
            return {}


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
