"""The contract's limits for the bodies of the contact operations.

Members that the contract does not name are ignored: its objects are open (no `additionalProperties: false`).
A named member with null is refused, because the contract gives it a type.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sandbox.contacts.custom_values import CustomField
from sandbox.contacts.sms import CONSENT, SIGN_UP_CONSENT
from sandbox.errors import Invalid

NAMES = ("first_name", "last_name", "job_title", "company_name")
PROPERTIES = (*NAMES, "birthday_month", "birthday_day", "anniversary")
SOURCES = ("Contact", "Account")
PERMISSIONS = ("explicit", "implicit", "not_set", "pending_confirmation", "temp_hold", "unsubscribed")
_PHONE_KINDS = ("home", "work", "mobile", "other")
_ADDRESS_KINDS = ("home", "work", "other")
_ADDRESS_LIMITS = {"street": 255, "city": 50, "state": 50, "postal_code": 50, "country": 50}
_EMAIL = re.compile(
    r"(?=.{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_COUNTRY = re.compile("[A-Z]{2}")
_YEAR_LAST = re.compile(r"(?P<month>\d{1,2})([/-])(?P<day>\d{1,2})\2(?P<year>\d{4})")
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})([/-])(?P<month>\d{1,2})\2(?P<day>\d{1,2})")


class BodyCheck:
    """Collects every problem of a body, so that one answer names them all."""

    def __init__(
        self, body: dict[str, Any], lists: Collection[str], custom_fields: Mapping[str, CustomField]
    ) -> None:
        """Check `body` against the ids of the account's live lists and its custom fields."""
        self._body = body
        self._lists = lists
        self._custom_fields = custom_fields
        self._problems: list[str] = []

    def done(self) -> None:
        """End the check.

        Raises:
            Invalid: with one message for each problem.
        """
        if self._problems:
            raise Invalid(*self._problems)

    def properties(self) -> None:
        """Check names, birthday and anniversary."""
        for name in NAMES:
            self.text(self._body, name, 50)
        self._birthday()
        self._anniversary()

    def text(self, holder: dict[str, Any], name: str, most: int, *, required: bool = False) -> None:
        """Check for a string of at most `most` characters."""
        value = holder.get(name)
        if name not in holder:
            self._unless(not required, f"{name} is required")
        elif not isinstance(value, str) or len(value) > most:
            self._problems.append(f"{name} must be a string of at most {most} characters")

    def choice(
        self, holder: dict[str, Any], name: str, known: Collection[str], *, required: bool = False
    ) -> None:
        """Check for one of a few words."""
        if name in holder or required:
            self._unless(holder.get(name) in known, f"{name} must be one of {', '.join(known)}")

    def email(self, holder: dict[str, Any], name: str, most: int) -> None:
        """Check for a required e-mail address."""
        value = holder.get(name)
        good = isinstance(value, str) and len(value) <= most and _EMAIL.fullmatch(value)
        self._unless(bool(good), f"{name} must be an e-mail address of at most {most} characters")

    def list_memberships(self, *, least: int, required: bool = False) -> None:
        """Ids of existing lists, `least` to 50 of them."""
        if "list_memberships" not in self._body and not required:
            return
        ids = self._body.get("list_memberships")
        if not isinstance(ids, list) or not least <= len(ids) <= 50:
            self._problems.append(f"list_memberships must be an array of {least} to 50 list ids")
            return
        for list_id in ids:
            if not _is_uuid(list_id):
                self._problems.append("list_memberships must hold UUIDs")
            elif list_id not in self._lists:
                self._problems.append(f"list_memberships: list {list_id} does not exist")

    def custom_fields(self, most: int, *, by_id: bool = False) -> None:
        """Check custom fields of the account, each with a value, or `by_id` with the ids of its choices."""
        for item in self._objects("custom_fields", most):
            before = len(self._problems)
            found = self._custom_fields.get(str(item.get("custom_field_id")))
            if found is None:
                self._problems.append("custom_fields: custom_field_id does not exist")
            self.text(item, "value", 255, required=not by_id or "choice_ids" not in item)
            if found and len(self._problems) == before:
                self._check_value(found, item if by_id else {"value": item["value"]})

    def _check_value(self, found: CustomField, item: dict[str, Any]) -> None:
        try:
            found.stored(item)
        except ValueError as error:
            self._problems.append(f"custom_fields: {found.label}: {error}")

    def street_address(self, address: dict[str, Any]) -> None:
        """Check one street address; `kind` is required."""
        self.choice(address, "kind", _ADDRESS_KINDS, required=True)
        for name, most in _ADDRESS_LIMITS.items():
            self.text(address, name, most)

    def sms_sign_up(self, channel: dict[str, Any]) -> None:
        """Check the number, in three parts, and where each consent was given."""
        self._digits(channel, "sms_address", 15)
        self._digits(channel, "dial_code", 3)
        country = channel.get("country_code")
        good = isinstance(country, str) and bool(_COUNTRY.fullmatch(country))
        self._unless(good, "sms_channel: country_code must be two capital letters")
        self._sms_consents(channel, SIGN_UP_CONSENT)

    def sms_channel(self, channel: dict[str, Any]) -> None:
        """Check the number, with its dial code, and its consents."""
        self._digits(channel, "full_sms_address", 15)
        self._sms_consents(channel, CONSENT)

    def _digits(self, holder: dict[str, Any], name: str, most: int) -> None:
        value = holder.get(name)
        good = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= most
        self._unless(good, f"sms_channel: {name} must be digits")

    def _sms_consents(self, channel: dict[str, Any], names: Collection[str]) -> None:
        consents = channel.get("sms_channel_consents")
        if not isinstance(consents, list) or not all(isinstance(each, dict) for each in consents):
            self._problems.append("sms_channel: sms_channel_consents must be an array of objects")
            return
        for consent in consents:
            for name in names:
                self.text(consent, name, 2000, required=True)
            # "Currently, only promotional_sms is supported."
            self.choice(consent, "consent_type", ("promotional_sms",))

    def sub_resources(self, tags: Collection[str]) -> None:
        """Check phone numbers, street addresses, notes and taggings of the create and replace operations."""
        for phone in self._objects("phone_numbers", 3):
            self.text(phone, "phone_number", 25, required=True)
            self.choice(phone, "kind", _PHONE_KINDS)
        for address in self._objects("street_addresses", 3):
            self.street_address(address)
        for note in self._objects("notes", 150):
            self.text(note, "content", 2000, required=True)
        given = self._body.get("taggings", [])
        known = isinstance(given, list) and all(isinstance(tag, str) and tag in tags for tag in given)
        self._unless(known, "taggings: the tag does not exist")

    def nested(self, name: str, check: Callable[[dict[str, Any]], None]) -> None:
        """Check an object member, if there is one."""
        if name not in self._body:
            return
        if isinstance(self._body[name], dict):
            check(self._body[name])
        else:
            self._problems.append(f"{name} must be an object")

    def problem(self, message: str) -> None:
        """Add a problem that the caller found."""
        self._problems.append(message)

    def _objects(self, name: str, most: int) -> list[dict[str, Any]]:
        items = self._body.get(name, [])
        if not isinstance(items, list) or len(items) > most or not all(isinstance(i, dict) for i in items):
            self._problems.append(f"{name} must be an array of at most {most} objects")
            return []
        return items

    def _birthday(self) -> None:
        month, day = self._body.get("birthday_month"), self._body.get("birthday_day")
        if "birthday_month" not in self._body and "birthday_day" not in self._body:
            return
        if not _between(month, 12) or not _between(day, 31):
            self._problems.append(
                "birthday_month (1 to 12) and birthday_day (1 to 31) must be given together"
            )

    def _anniversary(self) -> None:
        if "anniversary" in self._body and not _is_date(self._body["anniversary"]):
            self._problems.append("anniversary must be a date such as 2006-11-15 or 11/15/2006")

    def _unless(self, good: bool, message: str) -> None:
        if not good:
            self._problems.append(message)


def _between(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value.lower()
    except ValueError:
        return False


def _is_date(value: object) -> bool:
    parts = isinstance(value, str) and (_YEAR_LAST.fullmatch(value) or _YEAR_FIRST.fullmatch(value))
    if not parts:
        return False
    try:
        date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
    except ValueError:
        return False
    return True
