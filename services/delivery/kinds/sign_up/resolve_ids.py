"""Look up the ids of the custom fields, choices and tags that a sign-up names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.account.cache import AccountCache, Entry
from services.account.field_values import choice_ids, fitting, needs_ids
from services.account.fields_and_tags import FieldsAndTags, field_named, tag_named
from services.constant_contact.catalog import CustomField, Tag
from services.constant_contact.client import ConstantContact
from services.constant_contact.contact_data import NO_FIELDS, ContactData, PersonFields
from services.constant_contact.contacts import LONGEST_SIGN_UP_ADDRESS
from services.constant_contact.errors import Conflict
from services.delivery.errors import NotInAccount
from services.delivery.kinds.sign_up.merge import Merged
from services.delivery.payload import SMS
from services.submission.custom_fields import CustomFieldValue
from store.quota.traits import FIELD, KNOWN_TAG

# Many sign-ups that name the same lost field must not each ask the vendor for all fields.
JUST_FETCHED_MS = 10_000

Reserve = Callable[[], object]
FieldValue = tuple[CustomField, CustomFieldValue]


@dataclass(frozen=True)
class Resolved:
    """What to set, `fills` only where the contact has nothing yet, and the tags that it gets afterwards.

    `by_ids`: the address, or an id of a choice in it, is nothing that POST /contacts/sign_up_form takes.
    """

    data: ContactData
    fills: PersonFields = NO_FIELDS
    tag_ids: tuple[str, ...] = ()
    by_ids: bool = False

    @property
    def looked_up(self) -> bool:
        """Return whether an id in it was looked up by a name."""
        return bool(self.data.fields.custom_fields or self.fills.custom_fields or self.tag_ids)

    def without_messages(self) -> "Resolved":
        """Return the same without the consent to text messages."""
        data = replace(self.data, fields=self.data.fields.without(SMS))
        return replace(self, data=data, fills=self.fills.without(SMS))


class IdResolver:
    """Looks up the ids, first in what is cached, then once at the vendor."""

    def __init__(self, *, vendor: ConstantContact, fields_and_tags: FieldsAndTags) -> None:
        self._vendor = vendor
        self._fields = fields_and_tags.fields
        self._tags = fields_and_tags.tags

    def resolve(self, merged: Merged, reserve: Reserve, *, anew: bool = False) -> Resolved:
        """Return the change with ids for names. `reserve` precedes each call; `anew` ignores the cache.

        Raises:
            NotInAccount: a field is missing, or a tag that may not be created, or a value does not fit.
            ConstantContactError: a call failed.
        """
        change = merged.change
        sets, fills = (
            self._field_values(fields.custom_fields, reserve, anew=anew)
            for fields in (change.fields, merged.fills)
        )
        by_ids = len(change.address) > LONGEST_SIGN_UP_ADDRESS or any(
            needs_ids(field, value) for field, value in (*sets, *fills)
        )
        fields = PersonFields(change.fields.properties, _entries(sets, by_ids=by_ids))
        return Resolved(
            data=ContactData(change.address, change.list_ids, fields),
            fills=PersonFields(merged.fills.properties, _entries(fills, by_ids=by_ids)),
            tag_ids=self._tag_ids(change.tags, reserve, anew=anew) if change.tags else (),
            by_ids=by_ids,
        )

    def _field_values(self, named: Mapping[str, Any], reserve: Reserve, *, anew: bool) -> list[FieldValue]:
        if not named:
            return []
        fields = _known(
            self._fields,
            reserve,
            anew=anew,
            has_all=lambda known: all(field_named(name, known) for name in named),
        )
        values: dict[str, FieldValue] = {}
        for name, value in named.items():
            found = field_named(name, fields)
            if found is None:
                raise NotInAccount(
                    f"Constant Contact has no custom field “{name}”, so nothing was sent. "
                    "Make it there, then send this sign-up again; take it off the form if it is not wanted.",
                    f"{FIELD}:{name}",
                )
            # Two spellings of a name lead to one field: the newer one counts.
            values[found.custom_field_id] = found, _fitting(found, value)
        return list(values.values())

    def _tag_ids(self, tags: Mapping[str, bool], reserve: Reserve, *, anew: bool) -> tuple[str, ...]:
        known = _known(
            self._tags,
            reserve,
            anew=anew,
            has_all=lambda known: all(tag_named(name, known) for name in tags),
        )
        found = [
            tag_named(name, known) or self._created(name, reserve, may_create=may_create)
            for name, may_create in tags.items()
        ]
        return tuple(dict.fromkeys(tag.tag_id for tag in found))

    def _created(self, name: str, reserve: Reserve, *, may_create: bool) -> Tag:
        if not may_create:
            raise NotInAccount(
                f"Constant Contact has no tag “{name}”, and strangers make none, so nothing was sent. "
                "Make it there, then send this sign-up again.",
                f"{KNOWN_TAG}:{name}",
            )
        reserve()
        try:
            created = self._vendor.create_tag(name)
        except Conflict:
            # Another process created it since, or the vendor takes two names for one.
            by_others = tag_named(name, self._tags.fetch(reserve).entries)
            if by_others is None:
                raise
            return by_others
        self._tags.add(created)
        return created


def _known(
    cache: AccountCache[Entry], reserve: Reserve, *, anew: bool, has_all: Callable[[tuple[Entry, ...]], bool]
) -> tuple[Entry, ...]:
    known = None if anew else cache.known()
    if known and (has_all(known.entries) or cache.known_within(JUST_FETCHED_MS)):
        return known.entries
    return cache.fetch(reserve).entries


def _fitting(field: CustomField, value: str | list[str]) -> CustomFieldValue:
    try:
        return fitting(field, value if isinstance(value, str) else tuple(value))
    except ValueError as wrong:
        raise NotInAccount(
            f"What was said in “{field.label}” does not suit that field in Constant Contact, so nothing was "
            f"sent. {wrong} Change the field's type there, then send this sign-up again."
        ) from None


def _entries(values: Iterable[FieldValue], *, by_ids: bool) -> dict[str, dict[str, Any]]:
    return {field.custom_field_id: _entry(field, value, by_ids=by_ids) for field, value in values}


def _entry(field: CustomField, value: CustomFieldValue, *, by_ids: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"custom_field_id": field.custom_field_id}
    if by_ids and field.choices:
        return entry | {"choice_ids": choice_ids(field, value)}
    # The contract of sign_up_form has no ids of choices, only values.
    return entry | {"value": value if isinstance(value, str) else ", ".join(value)}
