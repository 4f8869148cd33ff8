"""The share of the vendor's day for anonymous sign-ups, so that a flooded form leaves calls for the others.

Constant Contact takes 10,000 calls a day. All anonymous sign-ups together take a share of them; the rest is
divided evenly among the forms, and each may use its part whatever the others do. Where both are used up, the
form's sign-ups are stored like all, and their deliveries are due on the next day.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from services.access.requester import STRANGER
from services.forms.catalog import FormCatalog
from services.forms.form import Form
from store.engine.clock import Clock
from store.quota.state import PER_DAY

# Each count reads one span: a long read would hold up the commits of a SQLite file without a log.
SPAN_MS = 600_000
SPANS = 144
# So long after its end only the import of the spool stores sign-ups for a span: its count is kept.
_SETTLED_MS = 60_000
_DAY_MS = 86_400_000
# Due an hour after midnight: by then the last one is older than what claims call fresh
# (store/outbox/claims.py), and takes none of the calls that are kept for fresh sign-ups of other forms.
_AFTER_MIDNIGHT_MS = 3_600_000


class CountsAccepted(Protocol):
    """Counts accepted sign-ups, see `AcceptedByForm` in store/signups/believed.py."""

    def count(self, asked_by: str, *, since: int, before: int) -> Counter[int | None]:
        """Return how many `asked_by` sent from `since` to `before` (epoch ms), by the form's id."""
        ...


@dataclass(kw_only=True)
class DayShare:
    """Knows which forms have had their share of the last 24 hours.

    Housekeeping counts every few seconds, so that no visitor waits for it; a flood may take a few more calls
    meanwhile. `percent` of the day's calls are for all anonymous sign-ups, 100: without a limit.
    """

    forms: FormCatalog
    believed: CountsAccepted
    percent: int
    clock: Clock
    _past: dict[int, Counter[int | None]] = field(default_factory=dict, init=False)
    _used_up: frozenset[int | None] = field(default=frozenset(), init=False)

    def is_used_up(self, form: Form | None) -> bool:
        """Return whether `form`, None for sign-ups without one, had its share at the last count."""
        return (form.id if form else None) in self._used_up

    def due_at(self, form: Form | None) -> int | None:
        """Return when (epoch ms) the delivery of a sign-up by `form` that comes now is due; None: at once."""
        if not self.is_used_up(form):
            return None
        now = self.clock()
        return now - now % _DAY_MS + _DAY_MS + _AFTER_MIDNIGHT_MS

    def count(self) -> None:
        """Count the calls that the sign-ups of the last 24 hours take. Raises StoreError."""
        forms = {form.id: form for form in self.forms.all() if not form.archived}
        calls = Counter[int | None]()
        for form_id, number in self._last_day().items():
            calls[form_id] += number * calls_of(forms.get(form_id) if form_id is not None else None)
        together = PER_DAY * self.percent // 100
        if calls.total() < together or together == PER_DAY:
            self._used_up = frozenset()
            return
        each = (PER_DAY - together) // (len(forms) + 1)
        self._used_up = frozenset(form_id for form_id in (*forms, None) if calls[form_id] >= each)

    def _last_day(self) -> Counter[int | None]:
        """Count by form the ten minutes that have begun and the 24 hours before them."""
        now = self.clock()
        newest = now // SPAN_MS
        found, settled = Counter[int | None](), dict[int, Counter[int | None]]()
        for span in range(newest - SPANS, newest + 1):
            counted = self._past.get(span)
            if counted is None:
                since = span * SPAN_MS
                counted = self.believed.count(STRANGER, since=since, before=since + SPAN_MS)
            if now >= (span + 1) * SPAN_MS + _SETTLED_MS:
                settled[span] = counted
            found += counted
        self._past = settled
        return found


def calls_of(form: Form | None) -> int:
    """Return how many calls a sign-up by that form takes at most: a look-up before it, the tags after it."""
    return 1 + bool(form and form.protect_existing) + bool(form and form.tags)
