"""Whose account an access token opens, and what its user may do there."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from services.constant_contact.fields import unlike
from services.plain_text import mended, shortened, through

LONGEST_NAME_BYTES = 300
# What the contract's x-authorization-privileges ask for a sign-up; a Campaign Creator lacks it.
NEEDED = frozenset({"contacts:write"})


@dataclass(frozen=True)
class Account:
    """An account as one user sees it; `account_id` and `name` are empty where the user belongs to none.

    `user` is the sign-in name, often an e-mail address, or empty where the token does not tell.
    """

    account_id: str
    name: str
    user: str
    may_manage_contacts: bool


class TokenAuth(requests.auth.AuthBase):
    """Sends one given token, in place of the stored connection's."""

    def __init__(self, access_token: str) -> None:
        self._access_token = access_token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._access_token}"
        return request


def claims(access_token: str) -> Mapping[str, Any]:
    """Return the token's claims, unverified: it came from the vendor. Empty where it is not a JWT."""
    try:
        payload = access_token.split(".")[1]
        found = through(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))), mended)
    except (IndexError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def account(user: str, summary: Mapping[str, Any], privileges: object) -> Account:
    """Return the account that both answers describe.

    Raises:
        Unreachable: they are not what the API promises.
    """
    account_id = summary.get("encoded_account_id")
    if not isinstance(account_id, str) or not account_id:
        raise unlike("an account without id")
    if not isinstance(privileges, list):
        raise unlike("privileges that are no list")
    named = (entry.get("privilege_name") for entry in privileges if isinstance(entry, dict))
    granted = {name for name in named if isinstance(name, str)}
    name = summary.get("organization_name")
    return Account(
        account_id=account_id,
        name=shortened(name if isinstance(name, str) and name else account_id, LONGEST_NAME_BYTES),
        user=shortened(user, LONGEST_NAME_BYTES),
        may_manage_contacts=granted >= NEEDED,
    )
