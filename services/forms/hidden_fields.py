"""Fields that a visitor neither sees nor can mend: a wrong value there costs no sign-up."""

from collections.abc import Iterable
from typing import Any

from services.errors import FieldError
from services.forms.form import Form
from services.plain_text import LOST
from services.submission.custom_fields import custom_name, field_of, fold
from services.submission.field_types import LONGEST_SOURCE
from services.submission.fields import PERSON_FIELDS, SMS_FIELDS

# Sent by a page for itself, or decided by the form.
_PAGES_OWN = frozenset({"tags", "sms_country", "returning"})


def cut_source(fields: dict[str, Any]) -> bool:
    """Cut `source` to its longest, in place; return False where it is no text and was left out."""
    source = fields.get("source")
    if isinstance(source, str):
        fields["source"] = " ".join(source.replace(LOST, " ").split())[:LONGEST_SOURCE].rstrip()
    elif source is not None:
        fields["source"] = None
        return False
    return True


def drop_unseen(fields: dict[str, Any], errors: Iterable[FieldError], form: Form) -> list[str]:
    """Leave out, in place, the fields with an error that `form` does not show; return their names."""
    dropped: set[str] = set()
    for error in errors:
        out = error.field == "custom_fields" and _drop_unasked_custom_fields(fields, form)
        if not out and _is_unseen(error.field, form):
            _take_out(fields, error.field)
            out = True
        if out:
            dropped.add(error.field)
    return sorted(dropped)


def passed_over(sent: Iterable[str], form: Form) -> list[str]:
    """Return those of the fields `sent` that the form does not ask for, and that nobody may set by it."""
    return [name for name in sent if _is_unseen(name, form) and name not in _PAGES_OWN]


def _is_unseen(name: str, form: Form) -> bool:
    if name in _PAGES_OWN:
        return True
    if custom := custom_name(name):
        return fold(custom) not in _custom_fields_asked(form)
    if name in SMS_FIELDS:
        return "sms_number" not in form.field_names
    return name in PERSON_FIELDS and name not in form.field_names


def _custom_fields_asked(form: Form) -> set[str]:
    return {fold(custom) for field in form.fields if (custom := field.custom_field)}


def _drop_unasked_custom_fields(fields: dict[str, Any], form: Form) -> bool:
    sent, asked = fields.get("custom_fields"), _custom_fields_asked(form)
    if not isinstance(sent, dict):
        fields["custom_fields"] = None
        return not asked
    kept = {name: value for name, value in sent.items() if fold(name) in asked}
    fields["custom_fields"] = kept
    return len(kept) < len(sent)


def _take_out(fields: dict[str, Any], name: str) -> None:
    if custom_name(name) is None:
        fields.pop(name, None)
        return
    sent = fields.get("custom_fields") or {}
    # The name in the error may be cut.
    for each in [each for each in sent if field_of(each).startswith(name[:-1])]:
        del sent[each]
