"""One change for several sign-ups of one contact: one call instead of many, and no conflict between them.

It changes what the sign-ups would change one after the other, those of strangers that only fill in included.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from services.constant_contact.contact_data import NO_FIELDS, PersonFields
from services.delivery.kinds.sign_up.fill_empty import EMPTY, fields_missing_from
from services.delivery.payload import ContactChange, TimedChange
from services.submission.custom_fields import fold

# POST /contacts/sign_up_form takes as many of each, and contacts_taggings_add as many tags.
MOST_LISTS = MOST_FIELDS = MOST_TAGS = 50


@dataclass(frozen=True)
class Merged:
    """What to send, and the younger deliveries that it carries.

    The fields of `change` overwrite; those of `fills` go along only where the contact has nothing yet.
    """

    change: ContactChange
    carried: tuple[int, ...] = ()
    fills: PersonFields = NO_FIELDS

    @property
    def _fits(self) -> bool:
        fields = len(self.change.fields.custom_fields) + len(self.fills.custom_fields)
        lists, tags = len(self.change.list_ids), len(self.change.tags)
        return lists <= MOST_LISTS and fields <= MOST_FIELDS and tags <= MOST_TAGS


def merge(changes: Sequence[TimedChange]) -> Merged:
    """Return the first change merged with every younger one that fits in, oldest first.

    It ends before the first that does not fit, since a later one must not overtake it. Which change is newer
    is decided by the time it was received: one that waited in the spool has a higher id than later ones.
    """
    merged = _together(changes[:1])
    for count in range(2, len(changes) + 1):
        with_one_more = _together(changes[:count])
        if not with_one_more._fits:
            break
        merged = with_one_more
    return merged


def _together(changes: Sequence[TimedChange]) -> Merged:
    in_order = [timed.change for timed in sorted(changes, key=lambda timed: timed.received_at)]
    sets = _newest(change.fields for change in in_order if not change.fills_only)
    # One after the other, the first to set a field would keep the next from setting it: the oldest wins.
    fills = _newest(change.fields for change in reversed(in_order) if change.fills_only)
    tags: dict[str, bool] = {}
    for change in in_order:
        # A tag that one of them may create is created for all.
        tags |= {name: tags.get(name, False) or makes for name, makes in change.tags.items()}
    change = ContactChange(
        address=next((change.address for change in reversed(in_order) if change.address), ""),
        list_ids=tuple(dict.fromkeys(list_id for change in in_order for list_id in change.list_ids)),
        fields=sets,
        tags=tags,
    )
    carried = tuple(timed.delivery_id for timed in changes[1:])
    return Merged(change, carried, fields_missing_from(sets, fills))


def _newest(fields: Iterable[PersonFields]) -> PersonFields:
    """Return the fields of all, the later over the earlier; an empty value removes nothing."""
    return reduce(_updated, fields, NO_FIELDS)


def _updated(older: PersonFields, newer: PersonFields) -> PersonFields:
    said = {name: value for name, value in newer.properties.items() if value not in EMPTY}
    # A custom field that both name, in whatever spelling, is as the newer says it.
    named: dict[str, tuple[str, Any]] = {
        fold(name): (name, value)
        for each in (older.custom_fields, newer.custom_fields)
        for name, value in each.items()
        if value
    }
    return PersonFields({**older.properties, **said}, dict(named.values()))
