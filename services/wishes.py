"""What a delivery carries out: the body for the vendor, from a sign-up just sent or one that is stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from services.submission import BIRTHDAY_FIELDS, STREET_FIELDS, Submission


def wish_of(submission: Submission) -> dict[str, Any]:
    """What the delivery of a new sign-up is to carry out."""
    return _payload(submission.email, submission.list_ids, submission.person)


def payload_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same body as at first, from the columns of a stored sign-up."""
    return _payload(row["email"], json.loads(row["list_ids"]), json.loads(row["person"]))


def _payload(email: str, list_ids: Iterable[str], person: Mapping[str, str]) -> dict[str, Any]:
    """The body of POST /contacts/sign_up_form, which changes only what it is given."""
    said: dict[str, Any] = dict(person)
    if "phone" in said:
        said["phone_number"] = said.pop("phone")
    said |= {name: int(said[name]) for name in BIRTHDAY_FIELDS if name in said}
    if street := {name: said.pop(name) for name in STREET_FIELDS if name in said}:
        said["street_address"] = {"kind": "home", **street}
    return {"email_address": email, "list_memberships": list(list_ids), **said}
