"""How many sign-ups of one form may wait: a crowd of programs must not take the days of everybody else.

Constant Contact takes 10,000 calls a day: what is put into the queue by one form keeps all others waiting.
"""

from __future__ import annotations

from services.forms.catalog import FormCatalog
from services.forms.form import Form
from store.outbox.backlog import PendingByForm
from store.outbox.deliveries import Deliveries


class QueueLimit:
    """Knows which forms are full. Housekeeping counts, every few seconds; no visitor waits for that."""

    def __init__(self, *, forms: FormCatalog, deliveries: Deliveries, pending: PendingByForm) -> None:
        """No form is full before the first count."""
        self._forms = forms
        self._deliveries = deliveries
        self._pending = pending
        self._full: frozenset[int] = frozenset()

    def is_full(self, form: Form | None) -> bool:
        """Whether as many of the form's sign-ups wait as may, at the last count."""
        return form is not None and form.id in self._full

    def count(self) -> None:
        """Count what waits; by form only where it can be too many. Raises store.StoreUnavailable."""
        ceilings = {form.id: form.most_pending for form in self._forms.all() if form.most_pending}
        lowest = min(ceilings.values(), default=0)
        if not lowest or self._deliveries.pending_up_to(lowest) < lowest:
            self._full = frozenset()
            return
        pending = self._pending.count()
        self._full = frozenset(form for form, most in ceilings.items() if pending[form] >= most)
