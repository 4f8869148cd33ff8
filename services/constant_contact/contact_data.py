"""What a sign-up sets of a contact, in the terms of the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PersonFields:
    """What is said of a person; what is not named here stays as the contact has it.

    `properties` are by their names in POST /contacts/sign_up_form. `custom_fields` are by the field's name;
    once that is looked up, by the field's id, with the entry that the API takes.
    """

    properties: Mapping[str, Any] = field(default_factory=dict)
    custom_fields: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return bool(self.properties or self.custom_fields)

    def without(self, name: str) -> "PersonFields":
        """The same without that property."""
        kept = {each: value for each, value in self.properties.items() if each != name}
        return PersonFields(kept, self.custom_fields)


NO_FIELDS = PersonFields()


@dataclass(frozen=True)
class ContactData:
    """The contact's address, the lists it joins, and the fields that are set, custom fields by id."""

    address: str
    list_ids: tuple[str, ...] = ()
    fields: PersonFields = NO_FIELDS

    def sign_up_body(self) -> dict[str, Any]:
        """The body of POST /contacts/sign_up_form, which changes only what it is given."""
        body = {"email_address": self.address, "list_memberships": list(self.list_ids)}
        entries = list(self.fields.custom_fields.values())
        return {**body, **self.fields.properties} | ({"custom_fields": entries} if entries else {})
