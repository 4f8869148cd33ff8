"""What a stranger's sign-up may add to somebody the account knows already: only what is missing there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.constant_contact.contacts import Contact
from services.submission.custom_fields import fold
from services.submission.fields import BIRTHDAY_FIELDS, VENDOR_PROPERTIES

NOTHING: tuple[object, ...] = (None, "", [], {})
# In a stored wish; never sent to the vendor.
PROTECT = "protect_existing"
FIELDS = "custom_fields"
SMS = "sms_channel"
# Where a contact found has what is set by another name.
HELD_AS = {"phone_number": "phone_numbers", "street_address": "street_addresses"}
FILLABLE = frozenset({*VENDOR_PROPERTIES, SMS, FIELDS})


def told(wish: Mapping[str, Any]) -> dict[str, Any]:
    """What a wish says about the person; the rest of it, such as lists, is added in any case."""
    return {name: value for name, value in wish.items() if name in FILLABLE and value not in NOTHING}


def beyond(offered: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What the wish `offered` says and the wish `known` does not; custom fields count one by one, by name."""
    taken = {fold(name) for name in known.get(FIELDS, ())}
    left = {name: value for name, value in offered.get(FIELDS, {}).items() if fold(name) not in taken}
    return _untaken(offered, known) | ({FIELDS: left} if left else {})


def filled(wish: Mapping[str, Any], offered: Mapping[str, Any], held: Contact | None) -> dict[str, Any]:
    """The wish, and of what is offered that of which the contact has nothing; for a new one all of it.

    Custom fields are those for the vendor, by id.
    """
    known = _has(held) if held else {}
    if _number(offered) == _number(known):
        # Nothing is overwritten, and the person's consent is a fresh one.
        known.pop(SMS, None)
    taken = {entry["custom_field_id"] for entry in known.get(FIELDS, ())}
    left = [entry for entry in offered.get(FIELDS, ()) if entry["custom_field_id"] not in taken]
    fields = [*wish.get(FIELDS, ()), *left]
    return {**wish, **_untaken(offered, known)} | ({FIELDS: fields} if fields else {})


def _untaken(offered: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    # Half of one birthday and half of another would be nobody's, so these go together.
    taken = {FIELDS, *known, *(BIRTHDAY_FIELDS if known.keys() & set(BIRTHDAY_FIELDS) else ())}
    return {name: value for name, value in offered.items() if name not in taken}


def _has(contact: Contact) -> dict[str, Any]:
    document = contact.document
    # Under the names by which a wish would set it.
    held = {
        **{name: document.get(HELD_AS.get(name, name)) for name in (*VENDOR_PROPERTIES, SMS)},
        FIELDS: [
            entry for entry in document.get(FIELDS) or () if entry.get("value") or entry.get("choice_ids")
        ],
    }
    return told(held)


def _number(said: Mapping[str, Any]) -> tuple[Any, Any]:
    sms = said.get(SMS) or {}
    return sms.get("dial_code"), sms.get("sms_address")
