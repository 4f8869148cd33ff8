"""The client of Constant Contact's API, its records and its failures."""

from services.constant_contact.account import Account
from services.constant_contact.catalog import Choice, CustomField, Page, Tag
from services.constant_contact.client import ConstantContact, ContactList, ListsPage, SignedUp
from services.constant_contact.contacts import LONGEST_SIGN_UP_ADDRESS, Contact
from services.constant_contact.errors import (
    Conflict,
    ConnectionUnusable,
    ConstantContactError,
    Forbidden,
    Misconfigured,
    NoCallLeft,
    NotAsked,
    QuotaExceeded,
    Rejected,
    Remedy,
    ServerFault,
    Throttled,
    TooManyFields,
    Unauthorized,
    Unreachable,
)
from services.constant_contact.paging import Pages

__all__ = [
    "LONGEST_SIGN_UP_ADDRESS",
    "Account",
    "Choice",
    "Conflict",
    "ConnectionUnusable",
    "ConstantContact",
    "ConstantContactError",
    "Contact",
    "ContactList",
    "CustomField",
    "Forbidden",
    "ListsPage",
    "Misconfigured",
    "NoCallLeft",
    "NotAsked",
    "Page",
    "Pages",
    "QuotaExceeded",
    "Rejected",
    "Remedy",
    "ServerFault",
    "SignedUp",
    "Tag",
    "Throttled",
    "TooManyFields",
    "Unauthorized",
    "Unreachable",
]
