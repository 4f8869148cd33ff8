"""Fields that a form sends in vain: not understood, not asked for, or wrong where no visitor sees them.

Counted for the form's owner. The names come from strangers: they are mended as text, few are kept of each
form, and the rarest gives way, so what every sign-up of a form sends stays. The counts are in memory and
written with the housekeeping, so that a sign-up pays no query and no sync for them; a process that is killed
loses those of the last seconds.
"""

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from services.errors import FieldError, InvalidSubmission
from services.forms.form import Form
from services.forms.hidden_fields import passed_over
from services.plain_text import mended, shortened
from services.submission.fields import PERSON_FIELDS, Submission
from store.engine.clock import Clock
from store.key_value import KeyValue

log = structlog.get_logger(__name__)

# Errors of these fields are for the visitor, who sees or can mend them; the rest are for the form's owner.
FOR_VISITORS = frozenset(
    {"form", "form_token", "captcha", "altcha", "consent", "sms_consent", "list_ids", "list_id"}
)
OWNERS_MISTAKE = (
    "Something in this form is not set up right, and nothing you can type mends it."
    " Please tell the site’s owner."
)
NOT_UNDERSTOOD, NOT_ASKED, WRONG = "not understood", "not asked", "wrong"
KEY = "field_notes:"
MOST_KEPT, MOST_IN_MEMORY, MOST_FORMS = 20, 60, 500
LONGEST_NAME_BYTES, LONGEST_SENTENCE_BYTES = 60, 200
FORGOTTEN_MS = 30 * 24 * 3_600_000


@dataclass(frozen=True)
class IgnoredField:
    """A field's name with `what` is the matter, how often it came, and when it came last (epoch ms)."""

    name: str
    what: str
    times: int
    last_at: int
    detail: str = ""


_Notes = dict[tuple[str, str], IgnoredField]


class IgnoredFields:
    """Counts by form; what comes without a known form is only logged."""

    def __init__(self, meta: KeyValue, *, clock: Clock) -> None:
        self._meta = meta
        self._clock = clock
        self._lock = threading.Lock()
        self._new: dict[str, _Notes] = {}

    def taken(self, form: Form | None, submission: Submission) -> None:
        """Note the fields of an accepted sign-up that the form could not use."""
        if form is None:
            return
        sent = [*submission.person, *(["website"] if submission.website else [])]
        not_asked = [name for name in passed_over(sent, form) if name in PERSON_FIELDS]
        not_asked += ["website"] if submission.website else []
        notes = [(NOT_UNDERSTOOD, name, "") for name in submission.reading.ignored]
        self._note(form, [*notes, *((NOT_ASKED, name, "") for name in not_asked)])

    def refused(self, form: Form | None, error: InvalidSubmission) -> None:
        """Note the errors of a refused sign-up that no visitor can mend, and log them."""
        wrong = [each for each in error.errors if not _is_for_visitor(each, form)]
        for each in wrong[:MOST_KEPT]:
            log.warning(
                "unseen_field_refused",
                form=form and form.slug,
                field=_short_name(each.field),
                error=each.message,
            )
        if form:
            notes = [(WRONG, each.field, each.message) for each in wrong]
            self._note(form, [*notes, *((NOT_UNDERSTOOD, name, "") for name in error.ignored)])

    def write(self) -> None:
        """Add this process's counts to those in the store.

        Raises:
            StoreError: they are kept, and written the next time.
        """
        with self._lock:
            new, self._new = self._new, {}
        while new:
            slug, notes = new.popitem()
            try:
                self._meta.change(KEY + slug, partial(self._dump, notes))
            except Exception:
                self._put_back(new | {slug: notes})
                raise

    def of(self, slug: str) -> list[IgnoredField]:
        """Return what was noted of the form within 30 days, the most frequent first. Raises StoreError."""
        kept = _load(self._meta.get(KEY + slug))
        with self._lock:
            own = dict(self._new.get(slug, {}))
        return self._pruned(_merged(kept, own))

    def _note(self, form: Form, notes: Iterable[tuple[str, str, str]]) -> None:
        now = self._clock()
        found = {
            (what, short): IgnoredField(short, what, 1, now, shortened(detail, LONGEST_SENTENCE_BYTES))
            for what, name, detail in notes
            if (short := _short_name(name))
        }
        if not found:
            return
        with self._lock:
            known = self._new.get(form.slug, {})
            if not known and len(self._new) >= MOST_FORMS:
                return
            together = _merged(known, found)
            # When it is full, new names are dropped until the next write.
            self._new[form.slug] = dict(list(together.items())[:MOST_IN_MEMORY])

    def _put_back(self, notes: dict[str, _Notes]) -> None:
        with self._lock:
            self._new = {slug: _merged(each, self._new.get(slug, {})) for slug, each in notes.items()} | {
                slug: each for slug, each in self._new.items() if slug not in notes
            }

    def _dump(self, new: _Notes, kept: str | None) -> str:
        notes = self._pruned(_merged(_load(kept), new))
        return json.dumps([[each.name, each.what, each.times, each.last_at, each.detail] for each in notes])

    def _pruned(self, notes: _Notes) -> list[IgnoredField]:
        oldest = self._clock() - FORGOTTEN_MS
        lasting = [each for each in notes.values() if each.last_at >= oldest]
        return sorted(lasting, key=lambda each: (-each.times, -each.last_at, each.name))[:MOST_KEPT]


def _is_for_visitor(error: FieldError, form: Form | None) -> bool:
    asked = form.field_names if form else frozenset({"email", *PERSON_FIELDS, "sms_number"})
    return error.field in asked | FOR_VISITORS


def _short_name(name: str) -> str:
    return shortened(mended(" ".join(name.split())), LONGEST_NAME_BYTES)


def _merged(one: _Notes, other: _Notes) -> _Notes:
    """Merge both: counts are added, the later detail stays."""
    found = dict(one)
    for key, note in other.items():
        before = found.get(key)
        times = note.times + (before.times if before else 0)
        found[key] = replace(note, times=times, last_at=max(note.last_at, before.last_at if before else 0))
    return found


def _load(document: str | None) -> _Notes:
    notes = (IgnoredField(*each) for each in json.loads(document or "[]"))
    return {(note.what, note.name): note for note in notes}
