"""One body for several sign-ups of one contact: one call instead of many, and no conflict between them.

What it changes is what the sign-ups would change one after the other, those of strangers that only fill in
included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import itemgetter
from typing import Any

from services.delivery.confirmed_opt_in import TELLS
from services.delivery.fill_empty import FILLABLE, PROTECT, beyond, told
from services.delivery.returning import RETURNING
from services.submission.custom_fields import fold
from store.outbox.deliveries import Carried

Timed = tuple[int, Mapping[str, Any]]

# POST /contacts/sign_up_form takes as many of each, and contacts_taggings_add as many tags.
MOST = {"list_memberships": 50, "custom_fields": 50, "tags": 50}


@dataclass(frozen=True)
class Merged:
    """What to send, and the younger deliveries it carries.

    `offered` goes along only where the contact has nothing yet.
    """

    body: Mapping[str, Any]
    carried: tuple[int, ...]
    offered: Mapping[str, Any] = field(default_factory=dict)


def merge(body: Mapping[str, Any], received_at: int, younger: Sequence[Carried]) -> Merged:
    """The wish of `body` and, oldest first, of every younger one that fits in.

    It ends before the first that does not fit, since a later one must not overtake it. Which wish is newer is
    told by the time it came in: one that waited in the spool is stored behind some that came later.
    """
    wishes: list[Timed] = [(received_at, body)]
    carried: list[int] = []
    for row in younger:
        both = _in_order([*wishes, (row.received_at, row.payload)])
        if any(len(both.get(name, ())) > most for name, most in MOST.items()):
            break
        wishes.append((row.received_at, row.payload))
        carried.append(row.delivery_id)
    said, offered = _kept_apart(wishes)
    return Merged(said, tuple(carried), offered)


def _in_order(wishes: Sequence[Timed]) -> dict[str, Any]:
    return reduce(_both, (wish for _, wish in sorted(wishes, key=itemgetter(0))), {})


def _kept_apart(wishes: Sequence[Timed]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What may overwrite, and what only fills in; both as if the wishes had come one after the other."""
    both = _in_order(wishes)
    both.pop(RETURNING, None)
    both.pop(TELLS, None)
    if not both.pop(PROTECT, False):
        return both, {}
    trusted = told(_in_order([timed for timed in wishes if not timed[1].get(PROTECT)]))
    # Whoever comes first fills it in, and the next stranger finds it taken: here the oldest wins.
    protected = [(-at, wish) for at, wish in reversed(wishes) if wish.get(PROTECT)]
    said = {name: value for name, value in both.items() if name not in FILLABLE} | trusted
    return said, beyond(told(_in_order(protected)), trusted)


def _both(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    both = {**older, **{name: value for name, value in newer.items() if value not in (None, "", [], {})}}
    lists = [*older.get("list_memberships", ()), *newer.get("list_memberships", ())]
    both["list_memberships"] = list(dict.fromkeys(lists))
    if fields := _newest(older.get("custom_fields", {}), newer.get("custom_fields", {})):
        both["custom_fields"] = fields
    tags, more = older.get("tags", {}), newer.get("tags", {})
    if tags or more:
        # What one of them may make, all may.
        both["tags"] = {name: tags.get(name, False) or more.get(name, False) for name in {**tags, **more}}
    return both


def _newest(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of both; one that both name, in whatever spelling, as the newer says it."""
    said = {fold(name): (name, value) for name, value in older.items()}
    said |= {fold(name): (name, value) for name, value in newer.items() if value}
    return dict(said.values())
