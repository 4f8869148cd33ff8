"""What a delivery carries out: the body for the vendor, from a sign-up just sent or one that is stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from services.delivery.filling import PROTECT
from services.sms import channel
from services.submission import BIRTHDAY_FIELDS, STREET_FIELDS, Submission

# Who posts a form without an API key.
STRANGER = "form"


def wish_of(
    submission: Submission, *, protect_existing: bool = False, sms: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What the delivery of a new sign-up is to carry out; protected, it only fills in what is missing.

    `sms` is the evidence of a consent to text messages.
    """
    wish = _payload(submission.email, submission.list_ids, submission.person) | _sms(sms)
    return wish | ({PROTECT: True} if protect_existing else {})


def payload_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same body as at first, from the columns of a stored sign-up.

    Whether its form protected contacts is not in them, so each form's stranger counts as if it did.
    """
    wish = _payload(row["email"], json.loads(row["list_ids"]), json.loads(row["person"]))
    wish |= _sms(json.loads(row.get("sms") or "null"))
    by_a_stranger = row.get("form_id") is not None and row.get("asked_by") == STRANGER
    return wish | ({PROTECT: True} if by_a_stranger else {})


def _sms(evidence: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"sms_channel": channel(evidence)} if evidence else {}


def _payload(email: str, list_ids: Iterable[str], person: Mapping[str, str]) -> dict[str, Any]:
    """The body of POST /contacts/sign_up_form, which changes only what it is given."""
    said: dict[str, Any] = dict(person)
    if "phone" in said:
        said["phone_number"] = said.pop("phone")
    said |= {name: int(said[name]) for name in BIRTHDAY_FIELDS if name in said}
    if street := {name: said.pop(name) for name in STREET_FIELDS if name in said}:
        said["street_address"] = {"kind": "home", **street}
    return {"email_address": email, "list_memberships": list(list_ids), **said}
