"""Waits that are planned, each with its name and its end: nothing is wrong, and yet nothing is delivered."""

from __future__ import annotations

from datetime import UTC, datetime

from services.problems import Problem
from store.outbox.claims import BACKLOG_PER_DAY, DELIVERIES_PER_DAY
from store.outbox.deliveries import Backlog, OwnWait
from store.quota.state import PER_DAY, QuotaState

# Shorter ones are over before anybody has read of them.
OWN_WAIT_MS = 60_000
HOUR_MS = 3_600_000
# Only the vendor's guard against abuse makes a single sign-up wait that long.
LONG_MS = 12 * HOUR_MS
MIDNIGHT = "delivery goes on at 00:00 UTC"


def used(budget: QuotaState, now: int) -> int:
    """The calls of the UTC day that `now` (epoch ms) belongs to."""
    today = datetime.fromtimestamp(now / 1000, UTC).date().isoformat()
    # A day that the row is ahead of us by counts: another host's clock has reached midnight.
    return budget.used if budget.day >= today else 0


def used_up(budget: QuotaState, now: int) -> bool:
    """Whether no delivery may go out before the next UTC day."""
    return used(budget, now) >= DELIVERIES_PER_DAY


def planned_waits(
    budget: QuotaState, backlog: Backlog, own: OwnWait | None, *, now: int, delivers_itself: bool
) -> list[Problem]:
    """Every such wait at `now` (epoch ms); `own` is that of single sign-ups, beyond OWN_WAIT_MS.

    `delivers_itself`: these processes deliver, none that is started apart.
    """
    return [*_day(budget, backlog, now), *_own(own, now), *_elsewhere(backlog, delivers_itself)]


def _day(budget: QuotaState, backlog: Backlog, now: int) -> list[Problem]:
    calls, oldest = used(budget, now), backlog.oldest_received_at
    if calls >= PER_DAY:
        return [Problem("day_used_up", f"Today's {PER_DAY:,} calls are used up; {MIDNIGHT}.")]
    if calls >= DELIVERIES_PER_DAY:
        sentence = (
            f"Today's {DELIVERIES_PER_DAY:,} calls for deliveries are used up, and the other"
            f" {PER_DAY - DELIVERIES_PER_DAY} are kept for lists and for the account; {MIDNIGHT}."
        )
        return [Problem("day_used_up", sentence)]
    if calls >= BACKLOG_PER_DAY and oldest is not None and now - oldest > HOUR_MS:
        sentence = (
            f"{BACKLOG_PER_DAY:,} of today's {PER_DAY:,} calls are used, and the rest is kept for sign-ups of"
            " the last hour; the delivery of older ones goes on at 00:00 UTC."
        )
        return [Problem("backlog_waits_for_midnight", sentence)]
    return []


def _own(own: OwnWait | None, now: int) -> list[Problem]:
    if own is None:
        return []
    count = f"{own.count} sign-ups wait" if own.count > 1 else "One sign-up waits"
    each = ", the first" if own.count > 1 else ""
    sentence = f"{count} for a time of its own{each} at {_moment(own.first_due_at)}."
    if own.count > 1:
        sentence = sentence.replace("of its own", "of their own")
    if own.last_error is None:
        sentence += (
            " Its form has had its share of the day's calls (ANONYMOUS_SHARE_OF_DAY), and the rest is for"
            " other forms."
        )
    elif own.first_due_at - now > LONG_MS:
        sentence += (
            " Constant Contact calls an address invalid for 48 hours when it was sent too often;"
            " it is tried once more then."
        )
    if own.last_error:
        sentence += f" The last answer: {own.last_error}"
    return [Problem("signups_wait_for_their_time", sentence, planned=True, of_signups=True)]


def _elsewhere(backlog: Backlog, delivers_itself: bool) -> list[Problem]:
    if delivers_itself or not backlog.pending:
        return []
    sentence = "DELIVERY=off: what waits goes out when `flask worker` or `flask drain` runs."
    return [Problem("delivery_elsewhere", sentence, public=False, planned=True)]


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
