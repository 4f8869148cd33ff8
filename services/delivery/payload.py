"""The change that a sign-up's delivery makes to a contact, and the JSON document it is stored as.

The document has the properties by their names in POST /contacts/sign_up_form. Custom fields and tags are in
it by name: their ids may change while the sign-up waits, so they are looked up right before the call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.access.requester import STRANGER
from services.constant_contact.contact_data import NO_FIELDS, PersonFields
from services.submission.fields import vendor_properties
from services.submission.sms import channel
from store.outbox.claimed import Claimed
from store.signups.accept import NewSignup

SMS = "sms_channel"
_ADDRESS, _LISTS, _FIELDS, _TAGS = "email_address", "list_memberships", "custom_fields", "tags"
# In the document only, never sent to the vendor.
_TELLS, _RETURNING, _FILLS = "tells_pending", "returning", "protect_existing"
_NO_PROPERTIES = frozenset({_ADDRESS, _LISTS, _FIELDS, _TAGS, _TELLS, _RETURNING, _FILLS})


@dataclass(frozen=True)
class ContactChange:
    """What one sign-up asks for.

    `tags` are by name, each with whether it may be created where the account lacks it. With `fills_only` its
    fields are set only where the contact has nothing yet. `tells_pending`: the sender is told whether the
    account has the person confirm by e-mail. `returning` is "accept" where the sender knows that it is the
    person's own wish to come back.
    """

    address: str
    list_ids: tuple[str, ...] = ()
    fields: PersonFields = NO_FIELDS
    tags: Mapping[str, bool] = field(default_factory=dict)
    fills_only: bool = False
    tells_pending: bool = False
    returning: str | None = None

    @classmethod
    def of_signup(
        cls, signup: NewSignup, *, protects: bool = True, returning: str | None = None
    ) -> "ContactChange":
        """Return what a sign-up asks for, a new one or one that is stored.

        `protects`: its form lets strangers only fill in what contacts lack. `returning` is what its sender
        said of somebody who comes back. Neither is in the columns of a stored sign-up, so they default to
        what overwrites nothing and leaves who comes back to the setting RETURNING.
        """
        stranger, by_form = signup.asked_by == STRANGER, signup.form_id is not None
        # An admin's form or the holder of an API key may name new tags; a stranger without a form may not.
        tags = dict.fromkeys(signup.tags or (), by_form or not stranger)
        return cls(
            address=signup.email,
            list_ids=tuple(signup.list_ids),
            fields=PersonFields(_properties(signup), dict(signup.custom_fields or {})),
            tags=tags,
            fills_only=stranger and by_form and protects,
            tells_pending=not stranger,
            returning=None if stranger else returning,
        )

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "ContactChange":
        """Return the change stored as `document`; what was lost with its sign-up's row is missing in it."""
        properties = {name: value for name, value in document.items() if name not in _NO_PROPERTIES}
        return cls(
            address=str(document.get(_ADDRESS) or ""),
            list_ids=tuple(document.get(_LISTS) or ()),
            fields=PersonFields(properties, document.get(_FIELDS) or {}),
            tags=document.get(_TAGS) or {},
            fills_only=bool(document.get(_FILLS)),
            tells_pending=bool(document.get(_TELLS)),
            returning=document.get(_RETURNING),
        )

    def document(self) -> dict[str, Any]:
        """Return the document to store; empty parts are left out."""
        said = {
            **self.fields.properties,
            _FIELDS: self.fields.custom_fields,
            _TAGS: self.tags,
            _TELLS: self.tells_pending,
            _RETURNING: self.returning,
            _FILLS: self.fills_only,
        }
        named = {_ADDRESS: self.address, _LISTS: list(self.list_ids)}
        return named | {name: value for name, value in said.items() if value}


@dataclass(frozen=True)
class TimedChange:
    """A change, the delivery that it belongs to, and when it was received (epoch ms)."""

    delivery_id: int
    received_at: int
    change: ContactChange


def changes_of(claimed: Claimed) -> tuple[TimedChange, ...]:
    """Return the change of the claimed delivery, followed by those of the younger ones it may carry."""
    first = TimedChange(claimed.delivery_id, claimed.received_at, ContactChange.read(claimed.payload))
    younger = (
        TimedChange(other.delivery_id, other.received_at, ContactChange.read(other.payload))
        for other in claimed.younger
    )
    return (first, *younger)


def _properties(signup: NewSignup) -> dict[str, Any]:
    return vendor_properties(signup.person) | ({SMS: channel(signup.sms)} if signup.sms else {})
