"""The sentence about a cause: what refused sign-ups have in common, and what a person can do about it."""

from collections.abc import Callable, Mapping

from store.quota.refusals import Common
from store.quota.traits import DOMAIN, FIELD, FORM, KIND, KNOWN_TAG, LIST, LONG, OLD, SETS, TAG, kind_and_name

# The most specific first: a form says less about the cause than the list that only this form has.
_ORDER = (LIST, FIELD, KNOWN_TAG, TAG, FORM, KIND, LONG, SETS, OLD, DOMAIN)


class CauseWords:
    """Puts traits into words, with the names of lists and forms in place of their ids."""

    def __init__(
        self, *, list_names: Callable[[], Mapping[str, str]], form_names: Callable[[], Mapping[int, str]]
    ) -> None:
        """`list_names` and `form_names` are called when a cause is found, which is seldom."""
        self._list_names = list_names
        self._form_names = form_names

    def sentence(self, common: Common) -> str:
        """Return what refused sign-ups have in common, what becomes of them, and what a person can do."""
        key = common.alike.partition(" ")[2]
        shared = sorted(common.traits, key=lambda trait: _ORDER.index(kind_and_name(trait)[0]))
        named = [self._named(trait) for trait in shared[:2]]
        return (
            f"Constant Contact refuses sign-ups {' '.join(named)}{f' ({key})' if key else ''}, while it takes"
            " others. They are put aside, and go on by themselves once one of them is taken. Look at what it"
            " is in Constant Contact, or drop them under Sign-ups at /admin/signups/."
        )

    def _named(self, trait: str) -> str:
        kind, name = kind_and_name(trait)
        if kind == LIST:
            return f"for the list '{self._list_names().get(name, name)}'"
        if kind == FORM:
            return f"by the form “{self._form_names().get(int(name), name)}”"
        if kind == SETS:
            return f"that say “{name.replace('_', ' ')}”"
        return {
            FIELD: f"with the custom field “{name}”",
            TAG: f"with the tag “{name}”",
            KNOWN_TAG: f"with the tag “{name}”",
            LONG: "of addresses with more than 50 characters",
            OLD: "that waited for more than a day",
            DOMAIN: "of addresses of one domain",
            KIND: f"of the kind “{name}”",
        }[kind]
