"""Whether far fewer people sign up than usual, as after a form was broken or its page was changed.

The latest hours are compared with the same hours of the same weekdays in the weeks before. The quietest of
these counts: a campaign in one of them proves nothing. The span is the shortest in which so many came that
chance alone cannot explain their absence: an hour for a busy site, days for a small one.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.problems import Level, Problem, well
from store.engine.clock import Clock
from store.signups.arrivals import Arrivals

HOUR_MS = 3_600_000
WEEK_MS = 7 * 24 * HOUR_MS
SPANS = tuple(hours * HOUR_MS for hours in (1, 3, 6, 12, 24, 72, 168))
LEAST_WEEKS, MOST_WEEKS = 2, 4
# Of 15 that were expected one or none comes by chance once in 200,000 looks.
EXPECTED = 15
SHARE = 10
# Enough to compare; a year's sign-ups are never counted.
COUNTED = 1_000
LOOK_MS = 5 * 60_000


@dataclass
class QuietWatch:
    """Compares every five minutes; in between it repeats what it found."""

    arrivals: Arrivals
    clock: Clock
    _looked_at: int | None = None
    _found: Problem = field(default_factory=lambda: well(""))

    def problems(self) -> list[Problem]:
        """Return whether it is quiet, of level OK where it is not, or cannot be known. Raises StoreError."""
        now = self.clock()
        if self._looked_at is None or not 0 <= now - self._looked_at < LOOK_MS:
            self._found = self._look(now)
            self._looked_at = now
        return [self._found]

    def _look(self, now: int) -> Problem:
        first_at = self.arrivals.first_at()
        known_from = (now if first_at is None else first_at) + LEAST_WEEKS * WEEK_MS
        if known_from + SPANS[0] > now:
            sentence = "Whether fewer people sign up than usual is known after two weeks of sign-ups"
            if first_at is not None:
                sentence += f", from {datetime.fromtimestamp(known_from / 1000, UTC):%Y-%m-%d}"
            return Problem("quiet_unknown", Level.OK, f"{sentence}.")
        for span in SPANS:
            if known_from + span > now:
                break
            weeks = min(MOST_WEEKS, (now - span - (first_at or 0)) // WEEK_MS)
            usual = min(self._count(now - week * WEEK_MS, span) for week in range(1, weeks + 1))
            if usual >= EXPECTED:
                return _judged(self._count(now, span), usual, span)
        sentence = "Too few people sign up for their absence to mean anything: fewer than 15 a week."
        return Problem("quiet_unknown", Level.OK, sentence)

    def _count(self, end: int, span: int) -> int:
        return self.arrivals.count(end - span, end, at_most=COUNTED)


def _judged(came: int, usual: int, span: int) -> Problem:
    if came * SHARE > usual:
        return well("As many people sign up as usual at this hour of this weekday.")
    hours = span // HOUR_MS
    within = "hour" if hours == 1 else f"{hours} hours"
    more = " or more" if usual >= COUNTED else ""
    who = {0: "Nobody has", 1: "One person has"}.get(came, f"{came} people have")
    sentence = (
        f"{who} signed up in the last {within}. In the same hours of earlier weeks it was {usual}{more}."
    )
    cure = "See that your forms are where they should be, and send one of them yourself."
    return Problem("signups_quiet", Level.WARNING, sentence, cure, public=False)
