"""When something is told: a function of what was told before, what is seen, and the time."""

from dataclasses import replace
from enum import Enum

from store.mail.alerts import AlertState, Seen

# At most one message of a kind in this time, whatever comes and goes.
GAP_MS = 15 * 60_000
REMINDER_MS = 24 * 3_600_000
# Nobody sees it any more for so long: longer than two looks, since what only one of several processes sees,
# such as its own spool, is not over because the others do not see it.
OVER_MS = 150_000


class Event(Enum):
    """What a message says. PASSED: it came and went since the last message."""

    RAISED = "raised"
    REMINDER = "reminder"
    CLEARED = "cleared"
    PASSED = "passed"


def within(span_ms: int, moment: int | None, now: int) -> bool:
    """Return whether `now` is less than the span after the moment; never if there was none."""
    # A clock that was set back must not make anybody wait until the old time returns.
    return moment is not None and 0 <= now - moment < span_ms


def next_state(
    state: AlertState, seen: Seen, *, now: int, patience_ms: int
) -> tuple[AlertState, Event | None]:
    """Return the state after a look at `now` (epoch ms), and what is to be told.

    A process that was stopped meanwhile goes on where it was: what it sees again has lasted.
    """
    if seen:
        began_at = now if state.began_at is None else state.began_at
        state = replace(state, began_at=began_at, seen_at=now, problems=seen)
    elif state.began_at is not None and not within(OVER_MS, state.seen_at, now):
        lasted = (state.seen_at or 0) - state.began_at >= patience_ms
        missed = lasted and not state.told
        state = replace(state, began_at=None, untold=state.untold + missed)
    event = _event(state, now, patience_ms, seen=bool(seen))
    if event is None:
        return state, None
    told = event in {Event.RAISED, Event.REMINDER}
    return replace(state, told=told, told_at=now, untold=0), event


def _event(state: AlertState, now: int, patience_ms: int, *, seen: bool) -> Event | None:
    if within(GAP_MS, state.told_at, now):
        return None
    if state.began_at is None:
        if state.told:
            return Event.CLEARED
        return Event.PASSED if state.untold else None
    if not seen:
        # Perhaps it is over.
        return None
    if not state.told:
        return None if within(patience_ms, state.began_at, now) else Event.RAISED
    return None if within(REMINDER_MS, state.told_at, now) else Event.REMINDER
