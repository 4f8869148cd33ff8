"""Fields that a visitor neither sees nor can mend: what is wrong there costs no sign-up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.errors import FieldError
from services.forms.form import Form
from services.plain_text import LOST
from services.submission.custom_fields import custom_name, field_of, fold
from services.submission.field_types import LONGEST_SOURCE
from services.submission.fields import PERSON_FIELDS, SMS_FIELDS

# What a page sends for itself, or the form decides anyway.
_PAGES_OWN = frozenset({"tags", "sms_country", "returning"})


def cut_source(fields: dict[str, Any]) -> bool:
    """Make `source` as short as it may be, in place; False where it is no text, and is left out."""
    source = fields.get("source")
    if isinstance(source, str):
        fields["source"] = " ".join(source.replace(LOST, " ").split())[:LONGEST_SOURCE].rstrip()
    elif source is not None:
        fields["source"] = None
        return False
    return True


def drop_unseen(fields: dict[str, Any], errors: Iterable[FieldError], form: Form) -> list[str]:
    """Leave out, in place, the fields with an error that `form` does not show; returns their names."""
    dropped: set[str] = set()
    for error in errors:
        out = error.field == "custom_fields" and _keep_asked(fields, form)
        if not out and _is_unseen(error.field, form):
            _take_out(fields, error.field)
            out = True
        if out:
            dropped.add(error.field)
    return sorted(dropped)


def passed_over(said: Iterable[str], form: Form) -> list[str]:
    """Those of the names of fields `said` that the form does not ask for, and that nobody may set by it."""
    return [name for name in said if _is_unseen(name, form) and name not in _PAGES_OWN]


def _is_unseen(name: str, form: Form) -> bool:
    if name in _PAGES_OWN:
        return True
    if custom := custom_name(name):
        return fold(custom) not in _asked(form)
    if name in SMS_FIELDS:
        return "sms_number" not in form.field_names
    return name in PERSON_FIELDS and name not in form.field_names


def _asked(form: Form) -> set[str]:
    return {fold(custom) for field in form.fields if (custom := field.custom_field)}


def _keep_asked(fields: dict[str, Any], form: Form) -> bool:
    said, asked = fields.get("custom_fields"), _asked(form)
    if not isinstance(said, dict):
        fields["custom_fields"] = None
        return not asked
    kept = {name: value for name, value in said.items() if fold(name) in asked}
    fields["custom_fields"] = kept
    return len(kept) < len(said)


def _take_out(fields: dict[str, Any], name: str) -> None:
    if custom_name(name) is None:
        fields.pop(name, None)
        return
    said = fields.get("custom_fields") or {}
    # The error's name may be shortened.
    for each in [each for each in said if field_of(each).startswith(name[:-1])]:
        del said[each]
