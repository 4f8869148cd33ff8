"""The queue limit: how many sign-ups of one form may wait for their delivery.

Constant Contact takes 10,000 calls a day: what a crowd of programs sends by one form would keep all others
waiting for days.
"""

from dataclasses import dataclass, field

from services.forms.catalog import FormCatalog
from services.forms.form import Form
from store.outbox.backlog import PendingByForm
from store.outbox.deliveries import Deliveries


@dataclass(kw_only=True)
class QueueLimit:
    """Knows the forms that have reached their limit; none has before the first count.

    Housekeeping counts every few seconds, so that no visitor waits for it.
    """

    forms: FormCatalog
    deliveries: Deliveries
    pending: PendingByForm
    _full: frozenset[int] = field(default=frozenset(), init=False)

    def is_full(self, form: Form | None) -> bool:
        """Return whether as many of the form's sign-ups waited as may, at the last count."""
        return form is not None and form.id in self._full

    def count(self) -> None:
        """Count what waits, by form only where it can be too many. Raises StoreUnavailable."""
        ceilings = {form.id: form.most_pending for form in self.forms.all() if form.most_pending}
        lowest = min(ceilings.values(), default=0)
        if not lowest or self.deliveries.pending_up_to(lowest) < lowest:
            self._full = frozenset()
            return
        pending = self.pending.count()
        self._full = frozenset(form for form, most in ceilings.items() if pending[form] >= most)
