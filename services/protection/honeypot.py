"""Whether the field was filled in that no person sees (services/forms/honeypot.py names it)."""

from __future__ import annotations

from services.forms.form import Form
from services.forms.honeypot import BAIT
from services.submission.fields import Submission


def is_trapped(submission: Submission, form: Form | None) -> bool:
    """Whether a field was filled in that no person sees.

    `website` is one only where HTML of an earlier release may have sent it: by a form of that time that asks
    nobody for a website, or without a form, in a body of documented names only that lacks the trap of today.
    """
    if submission.reading.trap is not None:
        return bool(submission.reading.trap.strip())
    return bool(submission.website) and _may_be_copied(submission, form)


def _may_be_copied(submission: Submission, form: Form | None) -> bool:
    if not submission.reading.plain:
        return False
    return form is None or not (form.own_trap or asks_for_website(form))


def asks_for_website(form: Form) -> bool:
    """Whether the account's custom fields that the form shows ask for one."""
    return any(BAIT in (field.custom_field or "").casefold() for field in form.fields)
