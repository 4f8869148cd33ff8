"""The forms by their short names: looked up for every sign-up, made and changed by admins."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic import ValidationError

from services.errors import FieldError, InvalidForm
from services.forms.editor import RESERVED_SLUGS, SLUG, FormDraft, admitted_fields, field_errors
from services.forms.form import Form
from store.engine.clock import Clock
from store.errors import StoreError
from store.forms import Forms, StoredForm
from store.recovery.forms_copy import FormsCopy

log = structlog.get_logger(__name__)

KEEP_SECONDS = 5.0
RESERVED = "This short name is kept for a page of this service. Choose another."
TAKEN = "There is a form of this short name already, maybe an archived one. Choose another."


@dataclass
class FormCatalog:
    """Reads, saves and archives forms; those in use are kept for five seconds.

    `monotonic` is in seconds. `copy` has the forms for a start while the store is away.
    """

    stored: Forms
    clock: Clock = field(kw_only=True)
    monotonic: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    copy: FormsCopy | None = field(default=None, kw_only=True)
    _known: Mapping[str, Form] = field(default_factory=dict, init=False)
    _read_at: float | None = field(default=None, init=False)

    def find(self, slug: str) -> Form | None:
        """Return the form in use of that slug.

        A change by another process counts after 5 s, a new form at once. While the store is away the forms
        that were read last serve on, so that sign-ups are still taken.
        """
        form = self._kept().get(slug) or self.get(slug)
        return None if form is None or form.archived else form

    def seen(self, slug: str | None) -> Form | None:
        """Return the same for an answer that must not fail: None also while no form can be read."""
        try:
            return self.find(slug) if slug else None
        except StoreError:
            return None

    def known(self, slug: str) -> Form | None:
        """Return the same without asking the store for a slug that is not known yet."""
        try:
            form = self._kept().get(slug)
        except StoreError:
            return None
        return None if form is None or form.archived else form

    def in_use(self) -> list[Form]:
        """Return every form that takes sign-ups, as `find` knows them. Raises StoreError."""
        return [form for form in self._kept().values() if not form.archived]

    def protected(self) -> list[Form]:
        """Return every form with a protection, those in use first, then archived ones. Raises StoreError."""
        found = [form for form in self._kept().values() if form.protection != "none"]
        return sorted(found, key=lambda form: (form.archived, form.slug))

    def origins(self) -> frozenset[str]:
        """Return every site whose scripts a form in use allows; none if the store was away from the start."""
        try:
            kept = self._kept().values()
        except StoreError:
            return frozenset()
        return frozenset(origin for form in kept if not form.archived for origin in form.origins)

    def all(self) -> list[Form]:
        """Return every form by name, archived ones included. Raises StoreUnavailable."""
        return [_form(row) for row in self.stored.all()]

    def get(self, slug: str) -> Form | None:
        """Return the form of that slug as it is stored now, archived or not. Raises StoreUnavailable."""
        # Only for what may be a slug: PostgreSQL takes no NUL.
        row = self.stored.find(slug) if SLUG.fullmatch(slug) else None
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
        before = self.stored.find(draft.slug)
        if new and before:
            raise InvalidForm([FieldError("slug", TAKEN)])
        # A form that was made before its name was reserved may still be changed.
        if draft.slug in RESERVED_SLUGS and not before:
            raise InvalidForm([FieldError("slug", RESERVED)])
        own_trap = before is None or before.definition.get("own_trap", False)
        definition = draft.model_dump(exclude={"slug", "name", "wording", "sms_wording"})
        row = self.stored.save(
            draft.slug,
            name=draft.name,
            definition=definition | {"own_trap": own_trap},
            wording=draft.wording,
            sms_wording=draft.sms_wording,
            now=self.clock(),
        )
        form = _form(row)
        self._known, self._read_at = {**self._known, form.slug: form}, None
        return form

    def archive(self, slug: str) -> bool:
        """Stop taking sign-ups for the form; return False when none of that slug is in use."""
        archived = self.stored.archive(slug, now=self.clock())
        self._read_at = None
        return archived

    def _kept(self) -> Mapping[str, Form]:
        now = self.monotonic()
        if self._read_at is None or now - self._read_at >= KEEP_SECONDS:
            try:
                rows = self.stored.all()
                self._known = {row.slug: _form(row) for row in rows}
                if self.copy is not None:
                    self.copy.keep(rows)
            except StoreError as error:
                if self._read_at is None and not self._known:
                    self._known = self._copied()
                if self._read_at is None and not self._known:
                    raise
                log.warning("forms_not_read", error=type(error).__name__)
            self._read_at = now
        return self._known

    def _copied(self) -> Mapping[str, Form]:
        rows = self.copy.kept() if self.copy is not None else []
        try:
            return {row.slug: _form(row) for row in rows}
        except ValidationError:
            # Written by another release, perhaps.
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
