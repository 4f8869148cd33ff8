"""The records of the simulated account and how the API shows them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SUB_RESOURCES = (
    "custom_fields",
    "list_memberships",
    "phone_numbers",
    "street_addresses",
    "taggings",
    "notes",
)


def timestamp(seconds: float | None) -> str | None:
    """Return ISO 8601 in UTC with milliseconds, as in the vendor's examples."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class ContactList:
    """A contact list; times are epoch seconds."""

    list_id: str
    name: str
    created_at: float
    updated_at: float
    description: str = ""
    favorite: bool = False
    deleted_at: float | None = None

    def resource(self) -> dict[str, Any]:
        """Return the list as the contract's ContactList, without a membership count."""
        shown: dict[str, Any] = {
            "list_id": self.list_id,
            "name": self.name,
            "description": self.description,
            "favorite": self.favorite,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }
        if self.deleted_at is not None:
            shown["deleted_at"] = timestamp(self.deleted_at)
        return shown


@dataclass
class Tag:
    """A tag; times are epoch seconds."""

    tag_id: str
    name: str
    created_at: float
    updated_at: float
    tag_source: str | None = None

    def resource(self) -> dict[str, Any]:
        """Return the contract's Tag, without a count of contacts."""
        shown = {
            "tag_id": self.tag_id,
            "name": self.name,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }
        return shown | ({"tag_source": self.tag_source} if self.tag_source is not None else {})


@dataclass
class Email:
    """The address of a contact with the permission to write to it; times are epoch seconds."""

    address: str
    permission_to_send: str
    opt_in_source: str
    created_at: float
    updated_at: float
    opt_in_date: float | None = None
    opt_out_source: str | None = None
    opt_out_date: float | None = None
    opt_out_reason: str | None = None

    def resource(self) -> dict[str, Any]:
        """Return the contract's EmailAddress: members that do not apply are left out."""
        shown = {
            "address": self.address,
            "permission_to_send": self.permission_to_send,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
            "opt_in_source": self.opt_in_source,
            "opt_in_date": timestamp(self.opt_in_date),
            "opt_out_source": self.opt_out_source,
            "opt_out_date": timestamp(self.opt_out_date),
            "opt_out_reason": self.opt_out_reason,
            "confirm_status": "pending" if self.permission_to_send == "pending_confirmation" else "off",
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass
class Contact:
    """A contact, deleted ones included; times are epoch seconds, `sign_ups` counts the completed ones."""

    contact_id: str
    create_source: str
    created_at: float
    updated_at: float
    update_source: str | None = None
    deleted_at: float | None = None
    email: Email | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    custom_fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    phone_numbers: list[dict[str, Any]] = field(default_factory=list)
    street_addresses: list[dict[str, Any]] = field(default_factory=list)
    list_memberships: list[str] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    taggings: list[str] = field(default_factory=list)
    sign_ups: int = 0
    sms_channel: dict[str, Any] | None = None
    # When the mail that asks whether to come back went out, and for which lists.
    return_asked_at: float | None = None
    return_lists: list[str] = field(default_factory=list)

    @property
    def sms_number(self) -> tuple[str, str] | None:
        """Dial code and number for text messages."""
        channel = self.sms_channel
        return (channel["dial_code"], channel["sms_address"]) if channel else None

    @property
    def edit_key(self) -> str:
        """The key by which simultaneous edits of this contact exclude each other."""
        return self.email.address.lower() if self.email else self.contact_id

    def subscribed_lately(self, now: float) -> bool:
        """Return whether the contact may be written to and opted in within the last 30 days."""
        opted_in = self.email.opt_in_date if self.email else None
        return self.status == "active" and opted_in is not None and opted_in > now - 30 * 86_400

    @property
    def status(self) -> str:
        """The contact's status in the words of the `status` parameter of GET /contacts."""
        if self.deleted_at is not None:
            return "deleted"
        permission = self.email.permission_to_send if self.email else "not_set"
        return "active" if permission in ("explicit", "implicit") else permission

    def resource(self, include: Collection[str] = ()) -> dict[str, Any]:
        """Return the contract's ContactResource with the sub-resources asked for."""
        shown: dict[str, Any] = {"contact_id": self.contact_id}
        if self.email:
            shown["email_address"] = self.email.resource()
        shown |= {name: value for name, value in self.properties.items() if value is not None}
        shown |= {
            "create_source": self.create_source,
            "update_source": self.update_source,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }
        if self.deleted_at is not None:
            # The contract shows the day only.
            shown["deleted_at"] = (timestamp(self.deleted_at) or "")[:10]
        if self.sms_channel is not None:
            shown["sms_channel"] = self.sms_channel
        return shown | {name: self.sub_resource(name) for name in SUB_RESOURCES if name in include}

    def sub_resource(self, name: str) -> list[Any]:
        """Return one of the `SUB_RESOURCES`."""
        if name == "custom_fields":
            return list(self.custom_fields.values())
        return list(getattr(self, name))
