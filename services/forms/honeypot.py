"""The field that people do not see and programs fill in: what it is called, and whether it was filled in.

Each form has a name of its own for it, which stays, since HTML is copied into sites for years. Before, every
form's was called `website`, which is also a question that people are asked.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from services.submission.fields import Submission

if TYPE_CHECKING:
    from services.forms.form import Form

# What programs look for to leave their advertisement in.
BAIT = "website"


@lru_cache(maxsize=1024)
def trap_name(slug: str | None) -> str:
    """What the trap of that form is called; None for sign-ups that name no form."""
    # Nothing secret: a program that reads the page sees it anyway.
    digest = hashlib.sha256(f"trap of {slug or ''}".encode(errors="replace")).hexdigest()
    return f"{BAIT}_{digest[:8]}"


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
