"""What a delivery carries out, from a sign-up just sent or one that is stored.

It is the body for the vendor, but for `custom_fields` and `tags`, which are by name until the call: ids may
change while a sign-up waits. A tag's value tells whether it may be made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.access.requester import STRANGER
from services.delivery.confirmed_opt_in import TELLS
from services.delivery.fill_empty import PROTECT
from services.delivery.returning import RETURNING
from services.submission.fields import Submission, vendor_properties
from services.submission.sms import channel
from store.engine.documents import read as read_document


def wish_of(
    submission: Submission,
    *,
    makes_tags: bool = False,
    protect_existing: bool = False,
    sms: Mapping[str, Any] | None = None,
    own_word: bool = False,
) -> dict[str, Any]:
    """What the delivery of a new sign-up is to carry out.

    `makes_tags`: the tags that the account lacks are made; not those that a stranger named.
    `protect_existing`: it only fills in what is missing. `sms` is the evidence of a consent to text messages.
    `own_word`: its sender may say what becomes of somebody who had left, and is told how it ended.
    """
    wish = _payload(submission.email, submission.list_ids, submission.person)
    wish |= _by_name(submission.custom_fields, submission.tags, makes_tags=makes_tags)
    if own_word:
        wish |= {TELLS: True} | ({RETURNING: submission.returning} if submission.returning else {})
    return wish | _sms(sms) | ({PROTECT: True} if protect_existing else {})


def payload_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same as at first, from the columns of a stored sign-up.

    Whether its form protected contacts is not in them, so each form's stranger counts as if it did; nor is
    what a key's holder said of somebody who comes back, so the setting decides on that.
    """
    by_form, said = row.get("form_id") is not None, {}
    for name in ("custom_fields", "tags", "sms"):
        said[name] = read_document(row.get(name) or "null")
    wish = _payload(row["email"], read_document(row["list_ids"]), read_document(row["person"]))
    makes = makes_tags(row["asked_by"], by_form=by_form)
    wish |= _by_name(said["custom_fields"], said["tags"], makes_tags=makes)
    if row["asked_by"] != STRANGER:
        wish[TELLS] = True
    return wish | _sms(said["sms"]) | ({PROTECT: True} if by_form and row["asked_by"] == STRANGER else {})


def makes_tags(asked_by: str, *, by_form: bool) -> bool:
    """Whether its tags may be made where the account lacks them: an admin or a key's holder named them."""
    return by_form or asked_by != STRANGER


def _sms(evidence: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"sms_channel": channel(evidence)} if evidence else {}


def _payload(email: str, list_ids: Iterable[str], person: Mapping[str, str]) -> dict[str, Any]:
    """The body of POST /contacts/sign_up_form, which changes only what it is given."""
    said = vendor_properties(person)
    return {"email_address": email, "list_memberships": list(list_ids), **said}


def _by_name(
    custom_fields: Mapping[str, Any] | None, tags: Iterable[str] | None, *, makes_tags: bool
) -> dict[str, Any]:
    said = {"custom_fields": dict(custom_fields or {}), "tags": dict.fromkeys(tags or (), makes_tags)}
    return {name: value for name, value in said.items() if value}
