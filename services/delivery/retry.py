"""What a failed call means for its delivery and for all others: pure functions from error to decision."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.constant_contact.errors import (
    Conflict,
    ConstantContactError,
    Misconfigured,
    NoCallLeft,
    QuotaExceeded,
    Rejected,
    Remedy,
    ServerFault,
    Throttled,
    TooManyFields,
    Unreachable,
)
from services.delivery.errors import NotInAccount
from store.quota.refusals import SUSPICIOUS
from store.quota.state import LARGEST_MARGIN_MS

SECOND = 1_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
LONGEST_PAUSE = 5 * MINUTE
PERSON_PAUSE = MINUTE
LONGEST_PERSON_PAUSE = 15 * MINUTE
LONGEST_BACKOFF = 15 * MINUTE
# About six throttled calls in a row widen the margin that far; more calls would be wasted.
WIDEST_MARGIN_MS = LARGEST_MARGIN_MS - 100
QUARTER = 15 * MINUTE
LONGEST_CONFLICT = 10 * MINUTE
REFUSED_PAUSE = 15 * SECOND
LONGEST_REFUSED_PAUSE = 15 * MINUTE
MOST_ATTEMPTS = 8
GIVE_UP_AFTER = 7 * DAY
# The vendor's protection against abuse flags an address for 48 h and meanwhile calls it invalid.
FLAGGED_FOR = 2 * DAY
# The vendor's clock may reach midnight later than ours.
AROUND_MIDNIGHT = 30 * MINUTE
CONFIGURATION = (
    "Constant Contact refuses different sign-ups with the same error, so nothing is put aside and all wait. "
    "Was a list or a custom field deleted?"
)


@dataclass(frozen=True)
class RetryCase:
    """What is known besides the error; times are epoch ms.

    `attempts` counts this delivery's calls with this one, `failures` the pauses of all deliveries before this
    failure, `refused` the different contacts in a row, this one included, refused in the same words;
    `again`: this one was among them already. `merged`: the call carried other deliveries of the contact.
    `margin_ms` is the present gap between calls. `failed_alone` counts this delivery's earlier calls that
    failed while those of others succeeded.
    """

    now: int
    received_at: int
    attempts: int = 1
    failures: int = 0
    refused: int = 0
    again: bool = False
    merged: bool = False
    margin_ms: int = 0
    failed_alone: int = 0


@dataclass(frozen=True)
class Decision:
    """`park` puts the delivery aside; else it is due again at `due_at`, and `counts`: the attempt counts.

    `pause_until` stops all deliveries, since the fault is not this one's; `reason` says why where the
    error's own sentence does not. `failed_alone`: the attempt does not count, but is recorded as one during
    which others succeeded. `alone`: the next time it is sent by itself. `put_back`: those are due again that
    were put aside for what has turned out to be no delivery's own fault. Times are epoch ms.
    """

    due_at: int
    counts: bool = False
    park: bool = False
    alone: bool = False
    put_back: bool = False
    pause_until: int | None = None
    reason: str | None = None
    failed_alone: bool = False


def decide(error: ConstantContactError, case: RetryCase) -> Decision:
    """Return what to do after a failed call."""
    rule = BY_ERROR.get(type(error)) or BY_REMEDY[error.remedy]
    decision = rule(error, case)
    if decision.counts and not decision.park and case.now - case.received_at > GIVE_UP_AFTER:
        return replace(decision, park=True)
    return decision


def is_of_a_row(error: ConstantContactError) -> bool:
    """Return whether the error is about what was sent, so that another delivery may succeed."""
    return isinstance(error, ServerFault) or error.remedy in {Remedy.PARK, Remedy.RETRY}


def is_flagged(error: ConstantContactError) -> bool:
    """Return whether the vendor calls the address invalid: it is, or it was signed up too often of late."""
    return isinstance(error, Rejected) and "invalid email" in (
        f"{error.key} {error.detail}".lower().replace("_", " ")
    )


def after_own_fault(*, now: int, attempts: int) -> int | None:
    """Return when (epoch ms) a delivery that this program failed at is attempted again; None: it is parked.

    Nothing says that others would fail alike, so they go on.
    """
    return None if attempts >= MOST_ATTEMPTS else now + _growing(5 * SECOND, attempts - 1, LONGEST_BACKOFF)


def words_of(error: ConstantContactError) -> str:
    """Return a text that is the same for refusals in the same words."""
    return f"{type(error).__name__} {error.key or ''}"


def _rejected(error: ConstantContactError, case: RetryCase) -> Decision:
    if is_flagged(error):
        waited = case.now - case.received_at >= FLAGGED_FOR
        due_at = case.now + FLAGGED_FOR + _up_to(30 * MINUTE)
        return Decision(due_at=due_at, counts=True, park=waited)
    if case.merged:
        return Decision(due_at=case.now, counts=True, alone=True)
    if case.refused >= SUSPICIOUS:
        # The controls among them were refused too. Due after the pause, so that another one is the probe.
        until = case.now + _growing(REFUSED_PAUSE, case.failures, LONGEST_REFUSED_PAUSE)
        return Decision(due_at=until, pause_until=until, reason=CONFIGURATION, put_back=True)
    return Decision(due_at=case.now, counts=True, park=True)


def _conflict(_: ConstantContactError, case: RetryCase) -> Decision:
    gap = _growing(2 * SECOND, case.attempts - 1, LONGEST_CONFLICT)
    pause = _growing(SECOND, case.failures, LONGEST_PAUSE) if case.refused >= SUSPICIOUS else None
    return Decision(due_at=case.now + gap, counts=True, pause_until=pause and case.now + pause)


def _server_fault(_: ConstantContactError, case: RetryCase) -> Decision:
    if case.merged:
        return Decision(due_at=case.now, counts=True, alone=True)
    # This delivery alone may be the cause, which shows only while others succeed; the gap lets them pass.
    own = not case.again and case.refused < SUSPICIOUS
    return Decision(
        due_at=case.now + _growing(5 * SECOND, case.attempts - 1, LONGEST_BACKOFF),
        counts=own,
        park=own and case.attempts >= MOST_ATTEMPTS,
        pause_until=None if own else case.now + _growing(SECOND, case.failures, LONGEST_PAUSE),
    )


def _unreachable(error: ConstantContactError, case: RetryCase) -> Decision:
    # This delivery alone may be the cause, such as a text that a filter in between does not let pass. That
    # shows only while others succeed: then its gap grows, and the eighth time it is parked.
    decision = _everybody(error, case)
    if case.failures or not case.failed_alone:
        return replace(decision, failed_alone=case.failures == 0)
    due_at = case.now + _growing(5 * SECOND, case.failed_alone - 1, LONGEST_BACKOFF)
    return replace(decision, due_at=due_at, failed_alone=True, park=case.failed_alone + 1 >= MOST_ATTEMPTS)


def _quota_exceeded(_: ConstantContactError, case: RetryCase) -> Decision:
    # "The day resets at 00:00:00 UTC"; the jitter is added, since a call before midnight would fail.
    since_midnight = case.now % DAY
    gap = 5 * MINUTE if since_midnight < AROUND_MIDNIGHT else DAY - since_midnight
    return Decision(due_at=case.now, pause_until=case.now + gap + 5 * SECOND + _up_to(85 * SECOND))


def _throttled(_: ConstantContactError, case: RetryCase) -> Decision:
    # The quota widens its margin by itself; a pause is needed only when that is at its widest.
    at_its_end = case.margin_ms >= WIDEST_MARGIN_MS
    return Decision(due_at=case.now, pause_until=case.now + QUARTER if at_its_end else None)


def _no_call_left(_: ConstantContactError, case: RetryCase) -> Decision:
    return Decision(due_at=case.now + SECOND + _up_to(SECOND))


def _put_aside(_: ConstantContactError, case: RetryCase) -> Decision:
    return Decision(due_at=case.now, counts=True, park=True)


def _everybody(_: ConstantContactError, case: RetryCase) -> Decision:
    # Due now means behind all that wait already, so another is the probe: one row cannot hold up the rest.
    gap = _growing(SECOND, case.failures, LONGEST_PAUSE)
    return Decision(due_at=case.now, pause_until=case.now + gap)


def _needs_person(_: ConstantContactError, case: RetryCase) -> Decision:
    gap = _growing(PERSON_PAUSE, case.failures, LONGEST_PERSON_PAUSE)
    return Decision(due_at=case.now, pause_until=case.now + gap)


def _own_fault(error: ConstantContactError, case: RetryCase) -> Decision:
    # Of deliveries that one call carried only the one at fault is put aside.
    if case.merged:
        return Decision(due_at=case.now, counts=True, alone=True)
    return _put_aside(error, case)


Rule = Callable[[ConstantContactError, RetryCase], Decision]
# `decide` takes the rule of the error's class; where there is none, that of the class's remedy.
BY_ERROR: dict[type[ConstantContactError], Rule] = {
    Rejected: _rejected,
    Misconfigured: _rejected,
    Conflict: _conflict,
    ServerFault: _server_fault,
    Unreachable: _unreachable,
    QuotaExceeded: _quota_exceeded,
    Throttled: _throttled,
    NoCallLeft: _no_call_left,
    NotInAccount: _own_fault,
    TooManyFields: _own_fault,
}
BY_REMEDY: dict[Remedy, Rule] = {
    Remedy.PARK: _put_aside,
    Remedy.RETRY: _conflict,
    Remedy.PAUSE_ALL: _everybody,
    Remedy.NEEDS_PERSON: _needs_person,
}


def _growing(first: int, times: int, longest: int) -> int:
    """`first` doubled `times` times, at most `longest`, plus up to half of that as jitter."""
    gap = min(longest, first << min(max(times, 0), 20))
    return gap + _up_to(gap // 2)


def _up_to(most: int) -> int:
    return random.randint(0, most)  # noqa: S311 - spreads load, guards nothing
