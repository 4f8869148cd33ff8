"""One body for several sign-ups of one contact: one call instead of many, and no conflict between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from store import Carried

# POST /contacts/sign_up_form takes as many of each.
MOST_LISTS = MOST_FIELDS = 50


@dataclass(frozen=True)
class Merged:
    """What to send, the younger deliveries it carries, and when (epoch ms) the newest wish came in."""

    body: Mapping[str, Any]
    carried: tuple[int, ...]
    newest: int


def merge(body: Mapping[str, Any], received_at: int, younger: Sequence[Carried]) -> Merged:
    """The wish of `body` and, oldest first, of every younger one that fits in.

    It ends before the first that does not fit, since a later one must not overtake it. Which wish is newer is
    told by the time it came in: one that waited in the spool is stored behind some that came later.
    """
    wishes = [(received_at, body)]
    carried: list[int] = []
    merged = dict(body)
    for row in younger:
        both = _in_order([*wishes, (row.received_at, row.payload)])
        if len(both["list_memberships"]) > MOST_LISTS or len(both.get("custom_fields", ())) > MOST_FIELDS:
            break
        wishes.append((row.received_at, row.payload))
        carried.append(row.delivery_id)
        merged = both
    return Merged(merged, tuple(carried), max(at for at, _ in wishes))


def _in_order(wishes: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[str, Any]:
    bodies = [wish for _, wish in sorted(wishes, key=lambda timed: timed[0])]
    return reduce(_both, bodies[1:], dict(bodies[0]))


def _both(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    both = {**older, **{name: value for name, value in newer.items() if value not in (None, "", [], {})}}
    lists = [*older.get("list_memberships", ()), *newer.get("list_memberships", ())]
    both["list_memberships"] = list(dict.fromkeys(lists))
    fields = [*older.get("custom_fields", ()), *newer.get("custom_fields", ())]
    if fields:
        both["custom_fields"] = list({field["custom_field_id"]: field for field in fields}.values())
    return both
