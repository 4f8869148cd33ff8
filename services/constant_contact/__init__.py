"""The client of Constant Contact's API, its records and its failures."""

from services.constant_contact.account import CALLS_FOR_ACCOUNT, Account
from services.constant_contact.client import ConstantContact, ContactList, ListsPage, SignedUp
from services.constant_contact.contacts import LONGEST_SIGN_UP_ADDRESS, Contact
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
    "CALLS_FOR_ACCOUNT",
    "LONGEST_SIGN_UP_ADDRESS",
    "Account",
    "Conflict",
    "ConnectionUnusable",
    "ConstantContact",
    "ConstantContactError",
    "Contact",
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
