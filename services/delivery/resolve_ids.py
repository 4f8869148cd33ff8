"""From a wish, which calls custom fields and tags by name, to what the vendor takes: their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from services.account.cache import AccountCache, Entry
from services.account.field_values import choice_ids, fitting, needs_ids
from services.account.fields_and_tags import FieldsAndTags, field_named, tag_named
from services.constant_contact.catalog import CustomField, Tag
from services.constant_contact.client import ConstantContact
from services.constant_contact.contacts import LONGEST_SIGN_UP_ADDRESS
from services.constant_contact.errors import Conflict, ConstantContactError, Remedy
from services.delivery.fill_empty import SMS
from services.delivery.merge import Merged
from services.submission.custom_fields import CustomFieldValue
from store.quota.traits import FIELD, KNOWN_TAG

# Many sign-ups that name the same lost field must not each ask the vendor for all fields.
JUST_FETCHED_MS = 10_000

Book = Callable[[], object]


class NotInAccount(ConstantContactError):
    """The sign-up says something for which the account has no place; the rest of it was not sent either."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = "The account has no place for something that this sign-up says."

    def __init__(self, sentence: str, shared: str | None = None) -> None:
        """`sentence` names what is missing and what to do, and nothing personal.

        `shared` is the trait that others may have too, None where it is this sign-up's alone.
        """
        super().__init__()
        self._sentence = sentence
        self.shared = shared

    @property
    def reason(self) -> str:
        """The sentence."""
        return self._sentence


@dataclass(frozen=True)
class Resolved:
    """The body for the vendor, and the ids of the tags that the contact gets afterwards.

    `offered` goes into the body only where the contact has nothing yet. With `by_ids` it has ids of choices,
    which POST /contacts/sign_up_form does not take.
    """

    body: Mapping[str, Any]
    tag_ids: tuple[str, ...] = ()
    offered: Mapping[str, Any] = field(default_factory=dict)
    by_ids: bool = False

    @property
    def by_name(self) -> bool:
        """Whether anything in it was looked up."""
        return bool("custom_fields" in self.body or "custom_fields" in self.offered or self.tag_ids)

    def without_messages(self) -> Resolved:
        """The same without a consent to text messages."""
        body, offered = (
            {name: value for name, value in wish.items() if name != SMS} for wish in (self.body, self.offered)
        )
        return replace(self, body=body, offered=offered)


class IdResolver:
    """Looks up the ids, first in what is known, then once at the vendor."""

    def __init__(self, *, vendor: ConstantContact, vocabulary: FieldsAndTags) -> None:
        self._vendor = vendor
        self._fields = vocabulary.fields
        self._tags = vocabulary.tags

    def named(self, merged: Merged, book: Book, *, anew: bool = False) -> Resolved:
        """The wish with ids for names. `book` comes before each call; `anew` trusts nothing known before.

        Raises:
            NotInAccount: the account lacks a field, or a tag that may not be made, or a value does not fit.
            ConstantContactError: a call failed.
        """
        wishes = merged.body, merged.offered
        filled_in = [self._filled_in(wish.get("custom_fields"), book, anew=anew) for wish in wishes]
        by_ids = len(merged.body["email_address"]) > LONGEST_SIGN_UP_ADDRESS or any(
            needs_ids(found, value) for both in filled_in for found, value in both
        )
        body, offered = (
            _with_ids(wish, both, by_ids=by_ids) for wish, both in zip(wishes, filled_in, strict=True)
        )
        tags = merged.body.get("tags")
        tag_ids = tuple(self._tag_ids(tags, book, anew=anew)) if tags else ()
        return Resolved(body, tag_ids, offered, by_ids)

    def _filled_in(
        self, said: Mapping[str, Any] | None, book: Book, *, anew: bool
    ) -> list[tuple[CustomField, CustomFieldValue]]:
        if not said:
            return []
        fields = _known(
            self._fields, book, anew=anew, has_all=lambda known: all(field_named(n, known) for n in said)
        )
        filled_in: dict[str, tuple[CustomField, CustomFieldValue]] = {}
        for name, value in said.items():
            found = field_named(name, fields)
            if found is None:
                raise NotInAccount(
                    f"Constant Contact has no custom field “{name}”, so nothing was sent. "
                    "Make it there, then send this sign-up again; take it off the form if it is not wanted.",
                    f"{FIELD}:{name}",
                )
            # Two spellings of a name lead to one field: the newer one counts.
            filled_in[found.custom_field_id] = found, _fitting(found, value)
        return list(filled_in.values())

    def _tag_ids(self, tags: Mapping[str, bool], book: Book, *, anew: bool) -> Iterable[str]:
        known = _known(
            self._tags, book, anew=anew, has_all=lambda known: all(tag_named(name, known) for name in tags)
        )
        ids = [
            (tag_named(name, known) or self._made(name, book, ours=ours)).tag_id
            for name, ours in tags.items()
        ]
        return dict.fromkeys(ids)

    def _made(self, name: str, book: Book, *, ours: bool) -> Tag:
        if not ours:
            raise NotInAccount(
                f"Constant Contact has no tag “{name}”, and strangers make none, so nothing was sent. "
                "Make it there, then send this sign-up again.",
                f"{KNOWN_TAG}:{name}",
            )
        book()
        try:
            made = self._vendor.create_tag(name)
        except Conflict:
            # Another process made it since, or the vendor takes two names for one.
            made_by_others = tag_named(name, self._tags.fetch(book).entries)
            if made_by_others is None:
                raise
            return made_by_others
        self._tags.add(made)
        return made


def _known(
    directory: AccountCache[Entry], book: Book, *, anew: bool, has_all: Callable[[tuple[Entry, ...]], bool]
) -> tuple[Entry, ...]:
    known = None if anew else directory.known()
    if known and (has_all(known.entries) or directory.known_within(JUST_FETCHED_MS)):
        return known.entries
    return directory.fetch(book).entries


def _fitting(field: CustomField, said: str | list[str]) -> CustomFieldValue:
    try:
        return fitting(field, said if isinstance(said, str) else tuple(said))
    except ValueError as wrong:
        raise NotInAccount(
            f"What was said in “{field.label}” does not suit that field in Constant Contact, so nothing was "
            f"sent. {wrong} Change the field's type there, then send this sign-up again."
        ) from None


def _with_ids(
    wish: Mapping[str, Any], filled_in: Iterable[tuple[CustomField, CustomFieldValue]], *, by_ids: bool
) -> dict[str, Any]:
    body = {name: value for name, value in wish.items() if name not in {"custom_fields", "tags"}}
    if "custom_fields" in wish:
        body["custom_fields"] = [_entry(found, value, by_ids=by_ids) for found, value in filled_in]
    return body


def _entry(field: CustomField, value: CustomFieldValue, *, by_ids: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"custom_field_id": field.custom_field_id}
    if by_ids and field.choices:
        return entry | {"choice_ids": choice_ids(field, value)}
    # The contract of sign_up_form has no ids of choices, only values.
    return entry | {"value": value if isinstance(value, str) else ", ".join(value)}
