"""Which form uses a list, a custom field or a tag that the account does not have any more."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.account.fields_and_tags import FieldsAndTags, field_named, tag_named
from services.account.lists import ListCache
from services.forms.catalog import FormCatalog
from services.forms.form import Form


@dataclass(frozen=True)
class FormFaults:
    """Compares forms with the cached lists, fields and tags of the account, without any call."""

    forms: FormCatalog
    lists: ListCache
    account: FieldsAndTags

    def of(self, form: Form) -> list[str]:
        """Return what is wrong with the form, a sentence each with its cure."""
        return [*self._lists(form), *self._fields(form), *self._tags(form)]

    def by_slug(self) -> dict[str, list[str]]:
        """Return the same for each form that is in use and has a fault, by its short name."""
        found = {form.slug: self.of(form) for form in self.forms.all() if not form.archived}
        return {slug: faults for slug, faults in found.items() if faults}

    def sentences(self) -> list[str]:
        """All of them, each with the name of its form."""
        names = {form.slug: form.name for form in self.forms.all()}
        found = self.by_slug().items()
        return [f"Form “{names[slug]}”: {fault}" for slug, faults in found for fault in faults]

    def _lists(self, form: Form) -> Iterator[str]:
        known = self.lists.known()
        if known is None:
            return
        there, names = {entry.list_id for entry in known.entries}, self.lists.names()
        for list_id in form.list_ids:
            if list_id in there:
                continue
            name = names.get(list_id)
            yield (
                f"The list '{name}' no longer exists at Constant Contact. Choose another on the form’s page."
                if name
                else f"The account has no list {list_id}. Choose another on the form’s page."
            )

    def _fields(self, form: Form) -> Iterator[str]:
        known = self.account.fields.known()
        if known is None:
            return
        for field in form.fields:
            if field.custom_field and field_named(field.custom_field, known.entries) is None:
                yield (
                    f"Constant Contact has no custom field “{field.custom_field}” any more."
                    " Make it there, or take it off the form."
                )

    def _tags(self, form: Form) -> Iterator[str]:
        known = self.account.tags.known()
        lost = {name.casefold() for name in self.account.tags.names_lost().values()}
        for tag in form.tags:
            if tag.casefold() in lost and known and tag_named(tag, known.entries) is None:
                yield f"The tag “{tag}” was deleted in Constant Contact; the next sign-up makes it anew."
