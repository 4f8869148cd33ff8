"""Whether sign-ups get through to Constant Contact, and what they wait for."""

from datetime import UTC, datetime

from services.operations.snapshot import DeliveryState, QueueState, SuspectedState
from services.problems import Level, Problem, well
from store.outbox.claims import BACKLOG_PER_DAY, DELIVERIES_PER_DAY
from store.quota.causes import Causes
from store.quota.state import PER_DAY

OLD_BACKLOG_SECONDS = 3_600
SILENT_SECONDS = 60
# A scheduler that drains is asked to come every few minutes.
DRAINED_WITHIN_SECONDS = 15 * 60
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# Only the vendor's guard against abuse makes a single sign-up wait that long.
LONG_MS = 12 * HOUR_MS
# Of the day's calls; what is said before they are used up, while somebody can still act.
NEARLY_USED = 9_000
MIDNIGHT = "delivery goes on at 00:00 UTC"
SUSPECTED_WAITING = "suspected_waiting"


def day_used_up(queue: QueueState) -> list[Problem]:
    """Return whether all, or older sign-ups, wait for the next UTC day's calls."""
    calls, sentence = queue.calls_used, None
    if calls >= PER_DAY:
        sentence = f"Today's {PER_DAY:,} calls are used up; {MIDNIGHT}."
    elif calls >= DELIVERIES_PER_DAY:
        sentence = (
            f"Today's {DELIVERIES_PER_DAY:,} calls for deliveries are used up, and the other"
            f" {PER_DAY - DELIVERIES_PER_DAY} are kept for lists and for the account; {MIDNIGHT}."
        )
    if sentence:
        return [Problem("day_used_up", Level.WARNING, sentence)]
    if calls >= BACKLOG_PER_DAY and queue.oldest_ms > HOUR_MS:
        sentence = (
            f"{BACKLOG_PER_DAY:,} of today's {PER_DAY:,} calls are used, and the rest is kept for sign-ups of"
            " the last hour; the delivery of older ones goes on at 00:00 UTC."
        )
        return [Problem("backlog_waits_for_midnight", Level.WARNING, sentence)]
    return []


def day_nearly_used(queue: QueueState) -> list[Problem]:
    """Return whether few calls of the day are left, for the alerts: nothing waits for them yet."""
    calls = queue.calls_used
    if not NEARLY_USED <= calls < DELIVERIES_PER_DAY:
        return []
    sentence = f"{calls:,} of today's {PER_DAY:,} calls are used. When they are used up, {MIDNIGHT}."
    return [Problem("day_nearly_used", Level.WARNING, sentence, public=False)]


def own_wait(delivery: DeliveryState) -> list[Problem]:
    """Return that single sign-ups wait for a time of their own: by plan, and nothing is wrong."""
    own, now = delivery.own_wait, delivery.queue.now
    if own is None:
        return []
    moment = f"{datetime.fromtimestamp(own.first_due_at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    sentence = f"One sign-up waits for a time of its own at {moment}."
    if own.count > 1:
        sentence = f"{own.count} sign-ups wait for a time of their own, the first at {moment}."
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
    return [Problem("signups_wait_for_their_time", Level.OK, sentence, of_signups=True)]


def elsewhere(delivery: DeliveryState) -> list[Problem]:
    """Return that what waits goes out by another process, which is a plan, too."""
    if delivery.delivers_itself or not delivery.queue.backlog.pending:
        return []
    sentence = "DELIVERY=off: what waits goes out when `flask worker` or `flask drain` runs."
    return [Problem("delivery_elsewhere", Level.OK, sentence, public=False)]


def pause(queue: QueueState) -> list[Problem]:
    """Return whether everybody waits for the vendor; a day that is used up has its own problem."""
    if queue.quota.paused_until is None or not queue.paused or queue.day_used_up:
        return []
    seconds = (queue.quota.paused_until - queue.now) // 1000 + 1
    sentence = f"Delivery pauses for another {seconds} s: {queue.quota.pause_reason}"
    return [Problem("delivery_paused", Level.WARNING, sentence, "It goes on by itself.")]


def backlog_old(queue: QueueState) -> list[Problem]:
    """Return whether the oldest sign-up has waited for long."""
    if queue.oldest_seconds <= OLD_BACKLOG_SECONDS:
        return []
    sentence = f"The oldest sign-up has waited {queue.oldest_seconds // 60} minutes for its delivery."
    return [Problem("backlog_old", Level.PROBLEM, sentence)]


def waiting(queue: QueueState) -> list[Problem]:
    """Return how many wait and for how long, for an operator."""
    if not queue.backlog.pending:
        return [well("No sign-up waits for its delivery.")]
    minutes = queue.oldest_seconds // 60
    sentence = f"Sign-ups waiting: {queue.backlog.pending}, the oldest for {minutes} minutes."
    if queue.oldest_seconds <= OLD_BACKLOG_SECONDS:
        return [well(sentence)]
    cure = "Mend what else is found here; the log names each failure."
    return [Problem("backlog_old", Level.PROBLEM, sentence, cure)]


def parked(
    queue: QueueState, *, then: str = "See /admin/signups/.", cure: str | None = None
) -> list[Problem]:
    """Return whether a person must look at sign-ups; the sentence ends with `then`."""
    if not queue.backlog.parked:
        return []
    sentence = f"Sign-ups that were put aside and wait for a person: {queue.backlog.parked}. {then}"
    return [Problem("signups_parked", Level.WARNING, sentence, cure, of_signups=True)]


def causes(queue: QueueState) -> list[Problem]:
    """Return what whole kinds of sign-ups are refused for, which wait until it is mended."""
    return [
        Problem("signups_refused_alike", Level.PROBLEM, cause.sentence, public=False)
        for cause in Causes.parse(queue.quota.causes)
        if not cause.lifted
    ]


def forms(delivery: DeliveryState) -> list[Problem]:
    """Return which forms use something that the account does not have any more."""
    return [Problem("form_outdated", Level.PROBLEM, fault, public=False) for fault in delivery.form_faults]


def silence(delivery: DeliveryState) -> list[Problem]:
    """Return whether this process's delivery stands still; only a sign-up that waits can show it."""
    if not delivery.delivers_itself or delivery.queue.oldest_seconds <= SILENT_SECONDS:
        return []
    if delivery.silent_seconds is not None and delivery.silent_seconds <= SILENT_SECONDS:
        return []
    sentence = (
        "Sign-ups wait, and this process's delivery has not moved for a minute. It is started "
        "anew by itself; restart the service if this stays."
    )
    return [Problem("delivery_silent", Level.PROBLEM, sentence)]


def worker(delivery: DeliveryState, *, usable: bool) -> list[Problem]:
    """Return whether somebody delivers where the web processes do not; only what waits can show it.

    `usable`: the connection is; nobody can deliver otherwise, nor in a pause.
    """
    if delivery.delivers_itself:
        return []
    queue = delivery.queue
    if usable and not queue.paused and queue.oldest_seconds > DRAINED_WITHIN_SECONDS:
        minutes = queue.oldest_seconds // 60
        sentence = f"DELIVERY=off, and for {minutes} minutes nobody has delivered what waits."
        cure = "Start `flask worker`, or have a scheduler run `flask drain`."
        return [Problem("worker_missing", Level.PROBLEM, sentence, cure)]
    return [well("DELIVERY=off: `flask worker` or `flask drain` delivers.")]


def suspected_not_kept(suspected: SuspectedState, now: int) -> list[Problem]:
    """Return whether there was no room for suspected sign-ups within a day before `now` (epoch ms)."""
    room = suspected.room
    if room.dropped_at is None or now - room.dropped_at > DAY_MS:
        return []
    sentence = (
        f"Suspected sign-ups that were not kept, by now: {room.dropped}, the last within a day. As"
        " many wait as SUSPECTED_MOST_ROWS and SUSPECTED_MOST_MEGABYTES allow, or the disk is nearly"
        " full. Decide on those that wait at /admin/suspected/, or protect the form better."
    )
    return [Problem("suspected_not_kept", Level.WARNING, sentence, of_signups=True)]


def suspected_waiting(suspected: SuspectedState) -> list[Problem]:
    """Return that some wait for a person, who alone can tell programs from people: no fault of ours."""
    waiting = suspected.waiting
    if waiting is None or not waiting.total:
        return []
    number = f"{waiting.total} or more" if waiting.more else waiting.total
    sentence = f"{number} sign-ups look like a program's and wait for you under Suspected."
    if waiting.total == 1:
        sentence = "One sign-up looks like a program's and waits for you under Suspected."
    if waiting.proven:
        sentence += f" Most likely people's, for they solved a captcha: {waiting.proven}."
    return [Problem(SUSPECTED_WAITING, Level.OK, sentence, of_signups=True)]
