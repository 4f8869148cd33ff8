"""What a failed call means for its sign-up and for all others: values, fit for a table of tests."""

from __future__ import annotations

import random
from dataclasses import dataclass

from services.constant_contact import (
    ConstantContactError,
    QuotaExceeded,
    Remedy,
    ServerFault,
    Throttled,
)

SECOND = 1_000
DAY = 86_400 * SECOND
THROTTLED_PAUSE = 1_500
PERSON_PAUSE = 60 * SECOND
LONGEST_PAUSE = 300 * SECOND
LONGEST_BACKOFF = 900 * SECOND


@dataclass(frozen=True)
class Decision:
    """`park` puts the sign-up aside; else it is due again at `due_at`, and `counts` as one of its own tries.

    `pause_until` stops everybody, since the fault is not this sign-up's. Times are epoch ms.
    """

    due_at: int
    counts: bool = False
    park: bool = False
    pause_until: int | None = None


def decide(error: ConstantContactError, *, now: int, attempts: int, failures: int) -> Decision:
    """Judge a failed call.

    `attempts` counts this sign-up's calls, `failures` everybody's failed calls in a row before this one.
    """
    if error.remedy is Remedy.PARK:
        return Decision(due_at=now, counts=True, park=True)
    if error.remedy is Remedy.RETRY:
        return Decision(due_at=now + _growing(2 * SECOND, attempts - 1, 600 * SECOND), counts=True)
    pause_until = now + _pause(error, now=now, failures=failures)
    if isinstance(error, ServerFault):
        # A 500 may be this row's own doing; its growing distance lets the others pass in the meantime.
        return Decision(
            due_at=now + _growing(5 * SECOND, attempts - 1, LONGEST_BACKOFF),
            counts=True,
            pause_until=pause_until,
        )
    return Decision(due_at=now, pause_until=pause_until)


def _pause(error: ConstantContactError, *, now: int, failures: int) -> int:
    if isinstance(error, QuotaExceeded):
        # "the day resets at 00:00:00 UTC"; the jitter is added, because earlier than midnight is useless.
        return DAY - now % DAY + random.randint(5 * SECOND, 90 * SECOND)  # noqa: S311 - spreads load, guards nothing
    if isinstance(error, Throttled):
        return THROTTLED_PAUSE
    if error.remedy is Remedy.NEEDS_PERSON:
        return _growing(PERSON_PAUSE, failures, 15 * PERSON_PAUSE)
    return _growing(SECOND, failures, LONGEST_PAUSE)


def _growing(first: int, times: int, longest: int) -> int:
    """`first` doubled `times` times, at most `longest`, plus up to a quarter of jitter."""
    gap = min(longest, first << min(max(times, 0), 20))
    return gap + random.randint(0, gap // 4)  # noqa: S311 - spreads load, guards nothing
