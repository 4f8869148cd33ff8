"""Traits: what waiting deliveries may share, and the vendor may refuse all of them for.

A trait is a short text, with its kind before the first colon: a list that the delivery joins, a custom field
or tag that it names, its form, a property that it sets, and conditions that choose the vendor's operation.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

LIST, FIELD, TAG, KNOWN_TAG, FORM = "list", "field", "tag", "known tag", "form"
SETS, DOMAIN, KIND = "sets", "domain", "kind"
# The kind of nearly all deliveries, which says nothing about why one is refused.
SIGN_UP = "sign_up"
# POST /contacts/sign_up_form takes addresses of 50 characters; longer ones go by other operations.
LONG, OLD = "long address", "waited a day"
_LONGEST_SIGN_UP_ADDRESS = 50
_DAY_MS = 86_400_000
# Properties that every payload has, or that have a trait of their own kind.
_NOT_SET = frozenset({"email_address", "list_memberships"})


def traits_of(
    payload: Mapping[str, Any], *, kind: str, form_id: int | None, received_at: int, now: int
) -> frozenset[str]:
    """Return the traits of one delivery; times are epoch ms."""
    address = str(payload.get("email_address") or "")
    found = {f"{SETS}:{name}" for name in payload if name not in _NOT_SET}
    found |= {f"{LIST}:{list_id}" for list_id in payload.get("list_memberships") or ()}
    found |= {f"{FIELD}:{name}" for name in payload.get("custom_fields") or ()}
    for name, makes in (payload.get("tags") or {}).items():
        found.add(f"{TAG}:{name}")
        if not makes:
            # A stranger's tag is not created, so the account must have it.
            found.add(f"{KNOWN_TAG}:{name}")
    if kind != SIGN_UP:
        found.add(f"{KIND}:{kind}")
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
    """Return a trait's kind, and the name or id of what it stands for; "" where the kind says all."""
    kind, _, name = trait.partition(":")
    return kind, name


def digest(text: str) -> str:
    """Return a short hash that tells texts apart without showing them."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
