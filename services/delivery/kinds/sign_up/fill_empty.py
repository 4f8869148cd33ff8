"""What a stranger's sign-up may add to a contact that the account has already: only what is missing there."""

from collections.abc import Mapping
from typing import Any

from services.constant_contact.contact_data import NO_FIELDS, PersonFields
from services.constant_contact.contacts import Contact
from services.delivery.payload import SMS
from services.submission.custom_fields import fold
from services.submission.fields import BIRTHDAY_FIELDS, VENDOR_PROPERTIES

EMPTY: tuple[object, ...] = (None, "", [], {})
# What a contact shows under another name than the one by which a sign-up sets it.
SHOWN_AS = {"phone_number": "phone_numbers", "street_address": "street_addresses"}


def fields_missing_from(known: PersonFields, offered: PersonFields) -> PersonFields:
    """Return the fields of `offered` that `known` does not set; custom fields count one by one, by name."""
    taken = {fold(name) for name in known.custom_fields}
    left = {name: value for name, value in offered.custom_fields.items() if fold(name) not in taken}
    return PersonFields(_missing(known.properties, offered.properties), left)


def filled(sets: PersonFields, fills: PersonFields, existing: Contact | None) -> PersonFields:
    """Return what to set: `sets`, and those of `fills` that the contact lacks; for a new contact all of them.

    Custom fields are by id.
    """
    known = _fields_of(existing) if existing else NO_FIELDS
    if _number(fills) == _number(known):
        # Nothing is overwritten, and the person's consent is a fresh one.
        known = known.without(SMS)
    left = {
        field_id: entry
        for field_id, entry in fills.custom_fields.items()
        if field_id not in known.custom_fields and field_id not in sets.custom_fields
    }
    properties = {**sets.properties, **_missing(known.properties, fills.properties)}
    return PersonFields(properties, {**sets.custom_fields, **left})


def _missing(known: Mapping[str, Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    # Half of one birthday and half of another would be nobody's, so these go together.
    taken = {*known, *(BIRTHDAY_FIELDS if known.keys() & set(BIRTHDAY_FIELDS) else ())}
    return {name: value for name, value in offered.items() if name not in taken}


def _fields_of(contact: Contact) -> PersonFields:
    document = contact.document
    shown = {name: document.get(SHOWN_AS.get(name, name)) for name in (*VENDOR_PROPERTIES, SMS)}
    entries = document.get("custom_fields") or ()
    return PersonFields(
        {name: value for name, value in shown.items() if value not in EMPTY},
        {each["custom_field_id"]: each for each in entries if each.get("value") or each.get("choice_ids")},
    )


def _number(fields: PersonFields) -> tuple[Any, Any]:
    sms = fields.properties.get(SMS) or {}
    return sms.get("dial_code"), sms.get("sms_address")
