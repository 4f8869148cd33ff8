"""The account's own addresses, from which and to which campaigns may be sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.contacts.records import timestamp
from sandbox.errors import Invalid

CONDITIONS = ("confirm_status", "role_code", "email_address")
_STATUSES = ("CONFIRMED", "UNCONFIRMED")
_ROLES = ("CONTACT", "BILLING", "JOURNALING", "REPLY_TO", "OTHER")


@dataclass(frozen=True)
class AccountEmail:
    """An address of the account; `confirmed_at` is in epoch seconds, None until its link was followed."""

    email_address: str
    email_id: int
    confirmed_at: float | None = None
    roles: tuple[str, ...] = ()

    @property
    def confirm_status(self) -> str:
        """The contract's word for whether the address is confirmed."""
        return "UNCONFIRMED" if self.confirmed_at is None else "CONFIRMED"

    def created(self) -> dict[str, Any]:
        """Return the contract's AccountEmailCreateResponse."""
        return {
            "email_address": self.email_address,
            "email_id": self.email_id,
            "confirm_status": self.confirm_status,
        }

    def resource(self) -> dict[str, Any]:
        """Return one of the contract's AccountEmails; members that do not apply are left out."""
        if self.confirmed_at is None:
            return self.created()
        return self.created() | {
            "confirm_time": timestamp(self.confirmed_at),
            "confirm_source_type": "SITE_OWNER",
            "roles": list(self.roles),
        }

    def meets(self, conditions: Mapping[str, str]) -> bool:
        """Return whether the address meets all conditions; a status or role may be its first letter.

        Raises:
            Invalid: a status or a role that the contract does not know.
        """
        own = {"confirm_status": (self.confirm_status,), "role_code": self.roles}
        known = {"confirm_status": _STATUSES, "role_code": _ROLES}
        for name, value in conditions.items():
            if name == "email_address":
                if value.lower() != self.email_address.lower():
                    return False
            elif _whole_word(name, value, known[name]) not in own[name]:
                return False
        return True


def owners_email(now: float) -> AccountEmail:
    """Return the address with which the account begins: the owner's, confirmed."""
    return AccountEmail("owner@example.com", 1, now, ("CONTACT", "BILLING", "REPLY_TO"))


def _whole_word(name: str, value: str, words: tuple[str, ...]) -> str:
    for word in words:
        if value in (word, word[0]):
            return word
    raise Invalid(f"{name} must be one of {', '.join(words)}, or its first letter")
