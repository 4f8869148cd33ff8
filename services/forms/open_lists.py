"""Which lists a stranger may join without naming a form.

PUBLIC_LIST_IDS opens them, with nothing but the rate limits to keep programs out. A list that a form protects
is not open, even if PUBLIC_LIST_IDS names it: a program would go around the protection by naming the list.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from services.errors import FieldError
from services.forms.catalog import FormCatalog
from services.forms.form import Form
from services.problems import Level, Problem
from services.submission.fields import Submission
from store.errors import StoreError

CLOSED = "This list is not open for public sign-ups."
NOTHING_OPEN = (
    "Website forms are refused: there is no form, and PUBLIC_LIST_IDS is empty. Make a form at /admin/forms/."
)


@dataclass(frozen=True)
class OpenLists:
    """Knows which lists are open, and what is wrong with that.

    `written_down` tells that an operator chose `public_list_ids`, and not the sandbox.
    """

    public_list_ids: tuple[str, ...]
    written_down: bool
    forms: FormCatalog

    def ids(self) -> tuple[str, ...]:
        """Return the lists that anybody may join by their ids. Raises StoreError."""
        guarded = _owners(self.forms.protected())
        return tuple(list_id for list_id in self.public_list_ids if list_id not in guarded)

    def by_forms(self) -> bool:
        """Return whether any form takes sign-ups. Raises StoreError."""
        return bool(self.forms.in_use())

    def objections(self, submission: Submission) -> list[FieldError]:
        """Return why a stranger may not join these lists by their ids, or have these tags without a form."""
        try:
            protected = self.forms.protected()
        except StoreError:
            # The forms could not be read since the start. An operator opened the lists, so a sign-up for them
            # must not be lost while the database is away.
            protected = []
        owners = _owners(protected)
        closed = [each for each in submission.list_ids if each not in self.public_list_ids or each in owners]
        errors = [_objection(list_id, owners.get(list_id)) for list_id in closed]
        tags = {tag.casefold(): form for form in reversed(protected) for tag in form.tags}
        taken = {tag: form for tag in submission.tags or () if (form := tags.get(tag.casefold()))}
        return errors + [
            FieldError("tags", _send_form(f"The tag “{tag}”", form)) for tag, form in taken.items()
        ]

    def problems(self) -> list[Problem]:
        """Return what keeps visitors out against an operator's intention. Raises StoreError."""
        if not self.public_list_ids:
            return [] if self.by_forms() else [Problem("no_list_open", Level.WARNING, NOTHING_OPEN)]
        owners = _owners(self.forms.protected())
        named = (
            [list_id for list_id in self.public_list_ids if list_id in owners] if self.written_down else []
        )
        return [
            Problem("public_list_protected", Level.WARNING, _contradiction(each, owners[each]), public=False)
            for each in named
        ]

    def weak_doors(self) -> list[str]:
        """For each list that one form protects and another does not: a sentence. Raises store.StoreError."""
        owners = _owners([form for form in self.forms.protected() if not form.archived])
        return [
            f"The form “{owners[list_id].name}” protects the list {list_id}, and the form “{form.name}”"
            " leads to it with the low protection."
            for form in self.forms.in_use()
            if form.protection == "none"
            for list_id in form.list_ids
            if list_id in owners
        ]


def _owners(protected: Iterable[Form]) -> dict[str, Form]:
    """Return the first protected form of each list; archived ones come last, and close their lists too."""
    owners: dict[str, Form] = {}
    for form in protected:
        for list_id in form.list_ids:
            owners.setdefault(list_id, form)
    return owners


def _objection(list_id: str, owner: Form | None) -> FieldError:
    what = CLOSED if owner is None else _send_form("This list", owner)
    return FieldError("list_ids", f"{what} ({list_id})")


def _send_form(what: str, owner: Form) -> str:
    if owner.archived:
        return f"{what} belongs to a form that is no longer in use."
    return f"{what} belongs to a form: send “form”: “{owner.slug}” instead of it, as the form's page does."


def _contradiction(list_id: str, owner: Form) -> str:
    return (
        f"PUBLIC_LIST_IDS names the list {list_id}, which belongs to the protected form “{owner.name}”, so"
        " sign-ups that name the list and no form are refused. Have them name the form, and take the list out"
        " of PUBLIC_LIST_IDS."
    )
