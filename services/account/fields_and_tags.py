"""The account's custom fields and tags by their names, and which of them a sign-up may use.

While they are not known, no sign-up is refused for them: names are looked up again at delivery.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import TypeAdapter

from services.account.cache import KEEP_MS, AccountCache, Collection, Entry
from services.account.field_values import fitting
from services.connection.status import ConnectionStatus
from services.constant_contact.catalog import CustomField, Tag
from services.constant_contact.client import ConstantContact
from services.constant_contact.errors import ConstantContactError
from services.constant_contact.quota import CallQuota
from services.errors import FieldError, InvalidSubmission
from services.submission.custom_fields import CustomFieldValue, field_of, fold
from services.submission.fields import Submission
from store.engine.clock import Clock
from store.errors import StoreError
from store.key_value import KeyValue

FIELDS = Collection(
    "custom_fields",
    "custom_fields",
    TypeAdapter(tuple[CustomField, ...]),
    lambda field: (field.custom_field_id, field.label),
)
TAGS = Collection("tags", "contact_tags", TypeAdapter(tuple[Tag, ...]), lambda tag: (tag.tag_id, tag.name))
IF_NEW = "If it is new, open a form's page under Forms, which looks it up."
NO_FIELD = f"The account has no such custom field. {IF_NEW}"
NO_TAG = f"The account has no such tag. {IF_NEW}"


@dataclass(frozen=True)
class Offered:
    """All custom fields and tags of the account."""

    fields: tuple[CustomField, ...]
    tags: tuple[Tag, ...]


@dataclass(frozen=True)
class FieldsAndTags:
    """The caches of the account's custom fields and tags, and the check of a sign-up against them."""

    fields: AccountCache[CustomField]
    tags: AccountCache[Tag]

    @classmethod
    def of(
        cls,
        *,
        vendor: ConstantContact,
        connection: ConnectionStatus,
        meta: KeyValue,
        permits: CallQuota,
        clock: Clock,
    ) -> "FieldsAndTags":
        """Make both caches; nothing is fetched yet."""
        fields = AccountCache(
            FIELDS, vendor.custom_fields, connection=connection, meta=meta, permits=permits, clock=clock
        )
        tags = AccountCache(TAGS, vendor.tags, connection=connection, meta=meta, permits=permits, clock=clock)
        return cls(fields=fields, tags=tags)

    def keep_fresh(self) -> bool:
        """Fetch one of both if it is over an hour old; return whether the vendor was called."""
        return self.fields.keep_fresh() or self.tags.keep_fresh()

    def offered(self) -> Offered:
        """Return what an admin may choose from; empty where it cannot be fetched."""
        return Offered(_read(self.fields), _read(self.tags))

    def custom_fields_known(self) -> tuple[CustomField, ...]:
        """Return the custom fields as last fetched, without a call, for a public page. Never raises."""
        try:
            known = self.fields.known()
        except StoreError:
            return ()
        return known.entries if known else ()

    def admitted(self, submission: Submission, *, trusted: bool, by_form: bool) -> Submission:
        """Return the submission with its values as the account's custom fields take them.

        `trusted`: sent with an API key. Its tags, and those of a form, are made where the account lacks them.
        `by_form`: the rules of the form were applied before. A field that the account has lost is not refused
        here; the delivery parks the sign-up.

        Raises:
            InvalidSubmission: A value does not fit, or the account has no such field or tag.
        """
        errors: list[FieldError] = []
        values = self._values(submission.custom_fields or {}, errors, by_form=by_form)
        if submission.tags and not trusted and not by_form:
            errors += self._unknown_tags(submission.tags)
        if errors:
            raise InvalidSubmission(errors)
        return submission if values is None else submission.model_copy(update={"custom_fields": values})

    def _values(
        self, said: dict[str, CustomFieldValue], errors: list[FieldError], *, by_form: bool
    ) -> dict[str, CustomFieldValue] | None:
        known = _within_the_hour(self.fields) if said else None
        if known is None:
            return None
        values: dict[str, CustomFieldValue] = {}
        for name, value in said.items():
            found = field_named(name, known)
            if found is None:
                values[name] = value
                if not by_form:
                    errors.append(FieldError(field_of(name), NO_FIELD))
                continue
            try:
                values[name] = fitting(found, value)
            except ValueError as wrong:
                errors.append(FieldError(field_of(name), str(wrong)))
        return values

    def _unknown_tags(self, tags: Iterable[str]) -> list[FieldError]:
        known = _within_the_hour(self.tags)
        if known is None:
            return []
        unknown = [tag for tag in tags if tag_named(tag, known) is None]
        return [FieldError("tags", f"{NO_TAG} ({', '.join(unknown)})")] if unknown else []


def field_named(name: str, fields: Iterable[CustomField]) -> CustomField | None:
    """Return the field with that label, also in the vendor's own spelling with underscores."""
    return next((field for field in fields if fold(field.label) == fold(name)), None)


def tag_named(name: str, tags: Iterable[Tag]) -> Tag | None:
    """Return the tag with that name, exactly spelled if there is one, else in other capitals."""
    tags = tuple(tags)
    exactly = (tag for tag in tags if tag.name == name)
    nearly = (tag for tag in tags if tag.name.casefold() == name.casefold())
    return next(exactly, None) or next(nearly, None)


def _read(cache: AccountCache[Entry]) -> tuple[Entry, ...]:
    try:
        return cache.read().entries
    except ConstantContactError:
        return ()


def _within_the_hour(cache: AccountCache[Entry]) -> tuple[Entry, ...] | None:
    # An older cache refuses nothing: the field or tag may have been made since.
    try:
        known = cache.known_within(KEEP_MS)
    except StoreError:
        return None
    return known.entries if known else None
