"""What a waiting delivery may have in common with others, and whole kinds of them may be refused for.

A trait is a short text, its kind before the first colon: the lists it joins, the custom fields and tags it
names, its form, which properties it sets, and the way it takes to the vendor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

LIST, FIELD, TAG, KNOWN_TAG, FORM = "list", "field", "tag", "known tag", "form"
SETS, DOMAIN = "sets", "domain"
# POST /contacts/sign_up_form takes addresses of 50 characters; longer ones go by other operations.
LONG, OLD = "long address", "waited a day"
_LONGEST_SIGN_UP_ADDRESS = 50
_DAY_MS = 86_400_000
# What every wish has, or what is not sent.
_NOT_SET = frozenset({"email_address", "list_memberships"})


def traits_of(
    payload: Mapping[str, Any], *, form_id: int | None, received_at: int, now: int
) -> frozenset[str]:
    """The traits of one delivery; times are epoch ms."""
    address = str(payload.get("email_address") or "")
    found = {f"{SETS}:{name}" for name in payload if name not in _NOT_SET}
    found |= {f"{LIST}:{list_id}" for list_id in payload.get("list_memberships") or ()}
    found |= {f"{FIELD}:{name}" for name in payload.get("custom_fields") or ()}
    for name, makes in (payload.get("tags") or {}).items():
        found.add(f"{TAG}:{name}")
        if not makes:
            # Of a stranger, for whom none is made: it must be one that the account has.
            found.add(f"{KNOWN_TAG}:{name}")
    if form_id is not None:
        found.add(f"{FORM}:{form_id}")
    if len(address) > _LONGEST_SIGN_UP_ADDRESS:
        found.add(LONG)
    if now - received_at > _DAY_MS:
        found.add(OLD)
    # Hashed: a domain may be a person's own, and this outlives the delivery.
    found.add(f"{DOMAIN}:{digest(address.rpartition('@')[2])}")
    return frozenset(found)


def kind_and_name(trait: str) -> tuple[str, str]:
    """A trait's kind, and the name or id of what it stands for; "" where the kind says all."""
    kind, _, name = trait.partition(":")
    return kind, name


def digest(text: str) -> str:
    """A short hash, for what must be told apart and not read."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
