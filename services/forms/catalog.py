"""The forms by their short names: looked up on every sign-up's way, made and changed by admins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from pydantic import ValidationError

from services.errors import FieldError, InvalidForm
from services.forms.editor import RESERVED_SLUGS, SLUG, FormDraft, admitted_fields, field_errors
from services.forms.form import Form
from store.errors import StoreError
from store.forms import Forms, StoredForm
from store.recovery.forms_copy import FormsCopy

log = structlog.get_logger(__name__)

KEEP_SECONDS = 5.0
RESERVED = "This short name is kept for a page of this service. Choose another."
TAKEN = "There is a form of this short name already, maybe an archived one. Choose another."


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
