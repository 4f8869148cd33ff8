"""The client of Constant Contact's API, its records and its failures."""

from services.constant_contact.client import ConstantContact, ContactList, ListsPage, SignedUp
from services.constant_contact.errors import (
    Conflict,
    ConnectionUnusable,
    ConstantContactError,
    Forbidden,
    Misconfigured,
    NoCallLeft,
    QuotaExceeded,
    Rejected,
    Remedy,
    ServerFault,
    Throttled,
    Unauthorized,
    Unreachable,
)

__all__ = [
    "Conflict",
    "ConnectionUnusable",
    "ConstantContact",
    "ConstantContactError",
    "ContactList",
    "Forbidden",
    "ListsPage",
    "Misconfigured",
    "NoCallLeft",
    "QuotaExceeded",
    "Rejected",
    "Remedy",
    "ServerFault",
    "SignedUp",
    "Throttled",
    "Unauthorized",
    "Unreachable",
]
