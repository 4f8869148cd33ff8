"""What anonymous sign-ups may take of the vendor's day, so that a flooded form leaves room for the others.

Constant Contact takes 10,000 calls a day. All anonymous sign-ups together take a share of them; the rest is
divided evenly among the forms, and each may use its part whatever the others do. Only where both are used up,
the form's sign-ups wait for the next day: they are stored like all, and are due later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from services.access.requester import STRANGER
from services.forms.catalog import FormCatalog
from services.forms.form import Form
from store.quota.state import PER_DAY

# Short, so that no count reads for long: that would hold up the commits of a SQLite file without a log.
SPAN_MS = 600_000
SPANS = 144
# After so long nothing more is stored for a span that is over, but by the import of the spool.
_SETTLED_MS = 60_000
_DAY_MS = 86_400_000
# After midnight, when the last of them has become older than what claims still call fresh
# (store/outbox/claims.py): in the lane of fresh sign-ups they would take the calls that are kept for the
# other forms.
_AFTER_MIDNIGHT_MS = 3_600_000


class CountsAccepted(Protocol):
    """Counts what was believed, see `store.BelievedByForm`."""

    def count(self, asker: str, *, since: int, before: int) -> Counter[int | None]:
        """How many `asker` sent from `since` to `before` (epoch ms), by the form's id."""
        ...


class DayShare:
    """Knows which forms have had their share of the last 24 hours.

    Housekeeping counts, every few seconds; no visitor waits for that. A flood may take a few more meanwhile.
    """

    def __init__(
        self, *, forms: FormCatalog, believed: CountsAccepted, percent: int, clock: Callable[[], int]
    ) -> None:
        """`percent` of the day's calls are for all anonymous sign-ups, 100: without a limit.

        `clock` tells epoch ms.
        """
        self._forms = forms
        self._believed = believed
        self._together = PER_DAY * percent // 100
        self._clock = clock
        self._past: dict[int, Counter[int | None]] = {}
        self._used_up: frozenset[int | None] = frozenset()

    def is_used_up(self, form: Form | None) -> bool:
        """Whether `form`, None for what comes without one, had its share at the last count."""
        return (form.id if form else None) in self._used_up

    def due_at(self, form: Form | None) -> int | None:
        """When (epoch ms) a sign-up by `form` that comes now is due; None: at once."""
        if not self.is_used_up(form):
            return None
        now = self._clock()
        return now - now % _DAY_MS + _DAY_MS + _AFTER_MIDNIGHT_MS

    def count(self) -> None:
        """Count the calls that the sign-ups of the last 24 hours take. Raises store.StoreError."""
        forms = {form.id: form for form in self._forms.all() if not form.archived}
        calls = Counter[int | None]()
        for form_id, number in self._last_day().items():
            calls[form_id] += number * calls_of(forms.get(form_id) if form_id is not None else None)
        if calls.total() < self._together or self._together == PER_DAY:
            self._used_up = frozenset()
            return
        each = (PER_DAY - self._together) // (len(forms) + 1)
        self._used_up = frozenset(form_id for form_id in (*forms, None) if calls[form_id] >= each)

    def _last_day(self) -> Counter[int | None]:
        """By form; the ten minutes that have begun and the day before them, so that no day holds more."""
        now = self._clock()
        newest = now // SPAN_MS
        found, settled = Counter[int | None](), dict[int, Counter[int | None]]()
        for span in range(newest - SPANS, newest + 1):
            counted = self._past.get(span)
            if counted is None:
                since = span * SPAN_MS
                counted = self._believed.count(STRANGER, since=since, before=since + SPAN_MS)
            if now >= (span + 1) * SPAN_MS + _SETTLED_MS:
                settled[span] = counted
            found += counted
        self._past = settled
        return found


def calls_of(form: Form | None) -> int:
    """How many calls a sign-up by that form takes at most: a look-up before it, and the tags after it."""
    return 1 + bool(form and form.protect_existing) + bool(form and form.tags)
