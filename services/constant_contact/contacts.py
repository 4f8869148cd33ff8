"""A contact as the API shows it, and the bodies that create or replace one.

POST /contacts and PUT /contacts/{id} take addresses of 80 characters, POST /contacts/sign_up_form only of 50.
They are no upserts, so what the contact has already is merged in here, as sign_up_form does by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.constant_contact.contact_data import ContactData, PersonFields
from services.constant_contact.errors import TooManyFields
from services.constant_contact.fields import an_id, an_object, objects, unlike

# POST /contacts/sign_up_form: "email_address … maxLength: 50".
LONGEST_SIGN_UP_ADDRESS = 50
# A day begins up to 14 hours before that of UTC, and is over everywhere 36 hours after that of UTC began.
WEST_OF_UTC_MS, DAY_ANYWHERE_MS = 14 * 3_600_000, 36 * 3_600_000
# What a PUT sets to null when it is left out.
PROPERTIES = (
    "first_name",
    "last_name",
    "job_title",
    "company_name",
    "birthday_month",
    "birthday_day",
    "anniversary",
)
SUB_RESOURCES = (
    "custom_fields",
    "list_memberships",
    "phone_numbers",
    "street_addresses",
    "taggings",
    "notes",
)
ADDRESS_PARTS = ("kind", "street", "city", "state", "postal_code", "country")
MOST_PHONES = MOST_ADDRESSES = 3
MOST_FIELDS = 25
LONGEST_REASON = 255


@dataclass(frozen=True)
class Contact:
    """A contact found by its address; `document` is the API's own, with its sub-resources."""

    contact_id: str
    document: Mapping[str, Any]

    @property
    def address(self) -> str:
        """The address in lower case, empty where the contact has none."""
        return str(self._email.get("address") or "").lower()

    @property
    def deleted(self) -> bool:
        """Return whether the account has deleted the contact; the vendor keeps its record."""
        return bool(self.document.get("deleted_at"))

    @property
    def opted_out(self) -> bool:
        """Return whether the person does not want to be written to.

        A contact that the account merely deleted may come back by a sign-up: “Unlike unsubscribed contacts,
        deleted contacts can be revived”. One that had opted out before it was deleted may not.
        """
        unsubscribed = self._email.get("permission_to_send") == "unsubscribed"
        return unsubscribed or (self.deleted and self._email.get("opt_out_source") == "Contact")

    @property
    def is_pending(self) -> bool:
        """Return whether the vendor has asked the person by e-mail to confirm, and waits for the answer."""
        return self._email.get("permission_to_send") == "pending_confirmation"

    @property
    def left_at(self) -> int | None:
        """When (epoch ms) the person opted out or was deleted; None for who is there, or without a date.

        For a deletion the contract tells the day, and the time only where the opt-out is the deletion itself;
        without it the day counts to its end, wherever on earth.
        """
        moments = []
        if self.opted_out or self.deleted:
            moments.append(_moment(self._email.get("opt_out_date")))
        if self.deleted:
            began = _moment(str(self.document["deleted_at"])[:10])
            if began is not None and (moments[0] is None or moments[0] < began - WEST_OF_UTC_MS):
                moments.append(began + DAY_ANYWHERE_MS)
        return max((moment for moment in moments if moment is not None), default=None)

    def left_after(self, moment: int) -> bool:
        """Return whether the person opted out or was deleted after `moment` (epoch ms).

        A missing date counts as later: writing to somebody who left is worse than leaving it to an admin.
        """
        return (self.opted_out or self.deleted) and (self.left_at is None or self.left_at > moment)

    @property
    def _email(self) -> Mapping[str, Any]:
        return self.document.get("email_address") or {}

    def left_messages_after(self, moment: int) -> bool:
        """Return whether the person opted out of text messages after `moment` (epoch ms)."""
        consents = (self.document.get("sms_channel") or {}).get("sms_channel_consents") or ()
        return any(
            consent.get("sms_consent_permission") == "unsubscribed"
            and _later(consent.get("opt_out_date"), moment)
            for consent in consents
        )


def contact(document: object) -> Contact:
    """Return an entry of GET /contacts. Raises Unreachable when a part of it is not as the contract says."""
    if not isinstance(document, dict):
        raise unlike("a contact without id")
    try:
        _check(document)
        return Contact(an_id(document["contact_id"]), document)
    except (KeyError, TypeError):
        raise unlike("a contact without id, or not as promised") from None


def _check(document: Mapping[str, Any]) -> None:
    """Check all parts that are read or sent back later. Raises KeyError or TypeError."""
    email = an_object(document.get("email_address"))
    dated = (email.get("opt_out_date"), document.get("deleted_at"), email.get("address"))
    properties = [document.get(name) for name in PROPERTIES]
    for value in (*dated, *properties):
        if value is not None and type(value) not in {str, int}:
            raise TypeError("no text")
    for entry in objects(document.get("custom_fields")):
        an_id(entry["custom_field_id"])
    lists = document.get("list_memberships")
    if not isinstance(lists, list | None):
        raise TypeError("no array")
    for list_id in lists or []:
        an_id(list_id)
    objects(document.get("phone_numbers"))
    objects(document.get("street_addresses"))
    objects(an_object(document.get("sms_channel")).get("sms_channel_consents"))


def creation(data: ContactData) -> dict[str, Any]:
    """Return the body of POST /contacts for a sign-up of the person's own."""
    return (
        _properties(data.fields.properties)
        | _sub_resources(data.fields, {})
        | {
            "email_address": _explicit(data.address),
            "create_source": "Contact",
            "list_memberships": list(data.list_ids),
        }
    )


def replacement(existing: Contact, data: ContactData) -> dict[str, Any]:
    """Return the body of PUT /contacts/{id} that adds the sign-up to what the contact has.

    Sub-resources stay when they are left out, so only those are in it to which the sign-up adds.
    """
    lists = dict.fromkeys([*(existing.document.get("list_memberships") or []), *data.list_ids])
    return (
        _properties(existing.document)
        | _properties(data.fields.properties)
        | _sub_resources(data.fields, existing.document)
        | {
            "email_address": _explicit(data.address),
            # "To restore a deleted contact you must specify the update_source as Account."
            "update_source": "Account" if existing.deleted else "Contact",
            "list_memberships": list(lists),
        }
    )


def unsubscription(existing: Contact, reason: str | None) -> dict[str, Any]:
    """Return the body of PUT /contacts/{id} that unsubscribes the contact and changes nothing else."""
    email = {"address": existing.address, "permission_to_send": "unsubscribed"}
    given = {"opt_out_reason": reason[:LONGEST_REASON]} if reason else {}
    return _properties(existing.document) | {"email_address": email | given, "update_source": "Contact"}


def _explicit(address: str) -> dict[str, str]:
    # As sign_up_form does it: the person's own action counts, also that of somebody who had unsubscribed.
    return {"address": address, "permission_to_send": "explicit"}


def _properties(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in PROPERTIES if document.get(name) is not None}


def _sub_resources(fields: PersonFields, existing: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    if fields.custom_fields:
        changed["custom_fields"] = _fields(existing.get("custom_fields") or [], fields.custom_fields)
    if number := fields.properties.get("phone_number"):
        phones = [_only(entry, ("phone_number", "kind")) for entry in existing.get("phone_numbers") or []]
        # The vendor keeps three; a fourth would remove one that is there.
        if number not in [entry.get("phone_number") for entry in phones] and len(phones) < MOST_PHONES:
            changed["phone_numbers"] = [*phones, {"phone_number": number, "kind": "other"}]
    if address := fields.properties.get("street_address"):
        homes = [_only(entry, ADDRESS_PARTS) for entry in existing.get("street_addresses") or []]
        if address not in homes and len(homes) < MOST_ADDRESSES:
            changed["street_addresses"] = [*homes, address]
    if sms := fields.properties.get("sms_channel"):
        changed["sms_channel"] = _sms_channel(sms)
    return changed


def _sms_channel(sms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the consent as POST and PUT of contacts take it: the number in one piece, fewer details."""
    wanted = ("sms_consent_permission", "consent_type", "consent_medium_details")
    consents = [_only(consent, wanted) for consent in sms["sms_channel_consents"]]
    number = f"{sms['dial_code']}{sms['sms_address']}"
    return {"full_sms_address": number, "sms_channel_consents": consents}


def _fields(existing: Sequence[Mapping[str, Any]], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    kept = {
        entry["custom_field_id"]: _only(entry, ("custom_field_id", "value", "choice_ids"))
        for entry in existing
    }
    fields = kept | {field_id: dict(entry) for field_id, entry in new.items()}
    if len(fields) > MOST_FIELDS:
        raise TooManyFields
    return list(fields.values())


def _only(entry: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: entry[name] for name in names if entry.get(name) is not None}


def _later(iso: object, moment: int) -> bool:
    at = _moment(iso)
    return at is None or at > moment


def _moment(iso: object) -> int | None:
    try:
        at = datetime.fromisoformat(str(iso))
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
