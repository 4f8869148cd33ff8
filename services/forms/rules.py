"""The rules that a submission must keep: its form's or, where it names none, which lists it may join."""

from dataclasses import dataclass

from services.account.cache import KEEP_MS
from services.account.lists import ListCache
from services.errors import FieldError, InvalidSubmission, StorageUnavailable
from services.forms.catalog import FormCatalog
from services.forms.form import Applied, Form, without_form
from services.forms.ignored_fields import IgnoredFields
from services.forms.open_lists import OpenLists
from services.submission.fields import Submission
from store.errors import StoreError

NO_LIST = "The account has no such list. If it is new, call GET /lists?refresh=1 once."


@dataclass(frozen=True)
class FormRules:
    """Judges a submission by its form, or by the lists that are open without one."""

    forms: FormCatalog
    open_lists: OpenLists
    lists: ListCache
    ignored: IgnoredFields

    def find(self, submission: Submission) -> Form | None:
        """Return the form that the submission names, None where it names none.

        Raises:
            InvalidSubmission: there is no such form in use.
            StorageUnavailable: the forms cannot be read.
        """
        if submission.form is None:
            return None
        try:
            form = self.forms.find(submission.form)
        except StoreError as error:
            # Without the form neither its lists nor its consent are known: there is nothing to store.
            raise StorageUnavailable from error
        if form is None:
            raise InvalidSubmission([FieldError("form", "There is no such form, or it is no longer in use.")])
        return form

    def apply(self, submission: Submission, *, trusted: bool) -> Applied:
        """Judge lists, fields and both consents; `trusted`: the holder of an API key sent it.

        Raises:
            InvalidSubmission: the form or a list is unknown or not open to the sender, the form requires
                more, or a consent is unclear.
            StorageUnavailable: the forms cannot be read.
        """
        if form := self.find(submission):
            return form.apply(submission, trusted=trusted)
        errors = self._unknown_lists(submission) if trusted else self.open_lists.objections(submission)
        if errors:
            raise InvalidSubmission(errors)
        return without_form(submission, trusted=trusted)

    def refused(self, error: InvalidSubmission) -> None:
        """Count the errors of a refusal for the form's owner, without a question to the store."""
        self.ignored.refused(self.forms.known(error.form) if error.form else None, error)

    def _unknown_lists(self, submission: Submission) -> list[FieldError]:
        try:
            view = self.lists.known_within(KEEP_MS)
        except StoreError:
            view = None
        if not view:
            return []  # what cannot be looked up refuses nobody
        known = frozenset(entry.list_id for entry in view.entries)
        unknown = [list_id for list_id in submission.list_ids if list_id not in known]
        return [FieldError("list_ids", f"{NO_LIST} ({', '.join(unknown)})")] if unknown else []
