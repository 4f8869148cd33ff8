"""Each failure's remedy, as a table."""

from dataclasses import dataclass, replace

import pytest

from services.constant_contact.errors import (
    Conflict,
    ConnectionUnusable,
    ConstantContactError,
    Forbidden,
    Misconfigured,
    NoCallLeft,
    QuotaExceeded,
    Rejected,
    ServerFault,
    Throttled,
    Unauthorized,
    Unreachable,
)
from services.delivery.errors import LeftSince
from services.delivery.retry import CONFIGURATION, DAY, FLAGGED_FOR, MINUTE, RetryCase, decide

NOON = 20_000 * DAY + DAY // 2
HOUR = 60 * MINUTE


def case(
    *,
    now: int = NOON,
    age: int = 0,
    attempts: int = 1,
    failures: int = 0,
    refused: int = 0,
    again: bool = False,
    merged: bool = False,
    margin_ms: int = 100,
) -> RetryCase:
    return RetryCase(now, now - age, attempts, failures, refused, again, merged, margin_ms)


@dataclass(frozen=True)
class Fate:
    """What is expected; both spans are in ms from now, from and to."""

    counts: bool
    due: tuple[int, int] = (0, 0)
    paused: tuple[int, int] | None = None
    parks: bool = False


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (Unreachable(), Fate(counts=False, paused=(1_000, 1_500))),
        (ConnectionUnusable(), Fate(counts=False, paused=(1_000, 1_500))),
        (ServerFault(), Fate(counts=True, due=(5_000, 7_500))),
        (Throttled(), Fate(counts=False)),
        (NoCallLeft(), Fate(counts=False, due=(1_000, 2_000))),
        (QuotaExceeded(), Fate(counts=False, paused=(DAY // 2 + 5_000, DAY // 2 + 90_000))),
        (Unauthorized(), Fate(counts=False, paused=(60_000, 90_000))),
        (Forbidden(), Fate(counts=False, paused=(60_000, 90_000))),
        (Misconfigured(), Fate(counts=True, parks=True)),
        (Conflict(), Fate(counts=True, due=(2_000, 3_000))),
        (Rejected(), Fate(counts=True, parks=True)),
        (LeftSince(), Fate(counts=True, parks=True)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_the_first_failure(error: ConstantContactError, fate: Fate) -> None:
    """What a failure costs its own sign-up, and for how long it stops all others."""
    decision = decide(error, case())
    assert (decision.counts, decision.park, decision.alone) == (fate.counts, fate.parks, False)
    assert fate.due[0] <= decision.due_at - NOON <= fate.due[1]
    if fate.paused is None:
        assert decision.pause_until is None
    else:
        assert decision.pause_until is not None
        assert fate.paused[0] <= decision.pause_until - NOON <= fate.paused[1]


@pytest.mark.parametrize(("failures", "seconds"), [(1, 2), (3, 8), (8, 256), (9, 300), (40, 300)])
def test_probes_come_in_growing_gaps(failures: int, seconds: int) -> None:
    """While the vendor is away the gap doubles, up to five minutes."""
    pause = decide(Unreachable(), case(failures=failures)).pause_until
    assert pause is not None
    assert seconds * 1_000 <= pause - NOON <= seconds * 1_500


@pytest.mark.parametrize(("attempts", "seconds"), [(2, 4), (5, 32), (30, 600)])
def test_a_conflict_comes_back_later_and_later(attempts: int, seconds: int) -> None:
    """A contact under edit is tried again after 2 seconds, growing to ten minutes."""
    due = decide(Conflict(), case(attempts=attempts)).due_at
    assert seconds * 1_000 <= due - NOON <= seconds * 1_500


@pytest.mark.parametrize(("attempts", "seconds"), [(2, 10), (5, 80), (7, 320), (20, 900)])
def test_a_sign_up_that_breaks_the_server_lets_the_others_pass(attempts: int, seconds: int) -> None:
    """Its own distance doubles up to a quarter of an hour and outgrows the common pause."""
    decision = decide(ServerFault(), case(attempts=attempts, failures=3, refused=5))
    assert decision.pause_until is not None
    assert decision.due_at > decision.pause_until or attempts == 2
    assert seconds * 1_000 <= decision.due_at - NOON <= seconds * 1_500


@pytest.mark.parametrize(
    ("attempts", "refused", "again", "counts", "parks"),
    [
        (7, 1, False, True, False),
        (8, 1, False, True, True),
        (8, 1, True, False, False),
        (100, 5, False, False, False),
    ],
)
def test_only_while_others_succeed_is_a_server_fault_the_sign_ups_own(
    attempts: int, refused: int, again: bool, counts: bool, parks: bool
) -> None:
    """The eighth such fault parks it; an outage neither counts nor parks, however long, and pauses all."""
    decision = decide(ServerFault(), case(attempts=attempts, refused=refused, again=again))
    assert (decision.counts, decision.park, decision.pause_until is None) == (counts, parks, counts)


@pytest.mark.parametrize(
    ("alone", "failures", "noted", "due", "parks"),
    [
        (0, 0, True, (0, 0), False),
        (1, 0, True, (5_000, 7_500), False),
        (3, 0, True, (20_000, 30_000), False),
        (7, 0, True, (320_000, 480_000), True),
        (7, 1, False, (0, 0), False),
    ],
)
def test_a_sign_up_that_alone_gets_no_answer_waits_longer_each_time_and_is_put_aside_in_the_end(
    alone: int, failures: int, noted: bool, due: tuple[int, int], parks: bool
) -> None:
    """By a filter that does not let its words pass, say; while the others fail, too, it is nobody's own."""
    decision = decide(Unreachable(), replace(case(failures=failures), failed_alone=alone))
    assert (decision.failed_alone, decision.park, decision.counts) == (noted, parks, False)
    assert due[0] <= decision.due_at - NOON <= due[1]


def test_after_a_week_what_fails_by_itself_is_put_aside_and_what_fails_with_all_is_not() -> None:
    """A person must look at the one; the other is nobody's fault here."""
    week = 7 * DAY + 1
    assert decide(Conflict(), case(age=week)).park
    assert not decide(Conflict(), case(age=week - 1)).park
    assert decide(ServerFault(), case(age=week)).park
    for error in (Unreachable(), Throttled(), QuotaExceeded(), Forbidden(), NoCallLeft()):
        assert not decide(error, case(age=week)).park
    assert not decide(ServerFault(), case(age=week, refused=5)).park


@pytest.mark.parametrize(
    ("since_midnight", "earliest", "latest"),
    [
        (23 * HOUR, HOUR + 5_000, HOUR + 90_000),
        (DAY - 1, 5_001, 90_001),
        (29 * MINUTE, 5 * MINUTE + 5_000, 5 * MINUTE + 90_000),
        (30 * MINUTE, DAY - 30 * MINUTE + 5_000, DAY - 30 * MINUTE + 90_000),
    ],
)
def test_a_used_up_day_waits_for_midnight_and_midnight_for_the_vendors_clock(
    since_midnight: int, earliest: int, latest: int
) -> None:
    """Soon after 00:00 UTC the vendor may still mean yesterday: then it is asked every few minutes."""
    now = 20_000 * DAY + since_midnight
    pause = decide(QuotaExceeded(), case(now=now)).pause_until
    assert pause is not None
    assert earliest <= pause - now <= latest


def test_a_vendor_that_throttles_whatever_the_pace_is_left_alone_for_a_while() -> None:
    """Each further call would be wasted, and counts against the day."""
    assert decide(Throttled(), case(margin_ms=800)).pause_until is None
    assert decide(Throttled(), case(margin_ms=950)).pause_until == NOON + 15 * MINUTE


def test_a_refused_call_that_carried_others_is_repeated_alone() -> None:
    """So one bad sign-up never takes its neighbours along."""
    decision = decide(Rejected(), case(merged=True))
    assert (decision.alone, decision.park, decision.due_at) == (True, False, NOON)


@pytest.mark.parametrize("error", [Rejected(), Misconfigured()])
def test_five_contacts_refused_alike_pause_everybody_and_park_nobody(error: ConstantContactError) -> None:
    """The controls were among them, so it is not five bad sign-ups; those put aside so far come back."""
    decision = decide(error, case(refused=5))
    assert (decision.park, decision.counts, decision.put_back) == (False, False, True)
    assert decision.pause_until is not None
    assert 15_000 <= decision.pause_until - NOON <= 22_500
    assert (decision.due_at, decision.reason) == (decision.pause_until, CONFIGURATION)
    assert decide(Rejected(), case(refused=4)).park


@pytest.mark.parametrize(
    "error",
    [
        Rejected(detail="Invalid email address"),
        Rejected(key="contacts.api.invalid_email_address"),
        Rejected(key="x", detail="invalid email address ann@example.org"),
    ],
)
def test_an_address_called_invalid_is_tried_once_more_when_the_vendors_flag_has_ended(
    error: Rejected,
) -> None:
    """More than five sign-ups a day flag an address for 48 hours, in which it is called invalid."""
    first = decide(error, case(age=3 * HOUR, merged=True, refused=5))
    assert (first.park, first.counts, first.pause_until, first.alone) == (False, True, None, False)
    assert FLAGGED_FOR <= first.due_at - NOON <= FLAGGED_FOR + 30 * MINUTE
    assert decide(error, case(age=FLAGGED_FOR, attempts=2)).park
