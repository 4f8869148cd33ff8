"""Each failure's remedy, as a table."""

from __future__ import annotations

import pytest

from services.constant_contact import (
    Conflict,
    ConnectionUnusable,
    ConstantContactError,
    Forbidden,
    Misconfigured,
    QuotaExceeded,
    Rejected,
    ServerFault,
    Throttled,
    Unauthorized,
    Unreachable,
)
from services.delivery.decisions import DAY, decide

NOON = 20_000 * DAY + DAY // 2


@pytest.mark.parametrize(
    ("error", "counts", "parks", "due_in", "paused_for"),
    [
        (Unreachable(), False, False, (0, 0), (1_000, 1_250)),
        (ConnectionUnusable(), False, False, (0, 0), (1_000, 1_250)),
        (ServerFault(), True, False, (5_000, 6_250), (1_000, 1_250)),
        (Throttled(), False, False, (0, 0), (1_500, 1_500)),
        (QuotaExceeded(), False, False, (0, 0), (DAY // 2 + 5_000, DAY // 2 + 90_000)),
        (Unauthorized(), False, False, (0, 0), (60_000, 75_000)),
        (Forbidden(), False, False, (0, 0), (60_000, 75_000)),
        (Misconfigured(), False, False, (0, 0), (60_000, 75_000)),
        (Conflict(), True, False, (2_000, 2_500), None),
        (Rejected(), True, True, (0, 0), None),
    ],
)
def test_the_first_failure(
    error: ConstantContactError,
    counts: bool,
    parks: bool,
    due_in: tuple[int, int],
    paused_for: tuple[int, int] | None,
) -> None:
    """What a failure costs its own sign-up, and for how long it stops all others."""
    decision = decide(error, now=NOON, attempts=1, failures=0)
    assert (decision.counts, decision.park) == (counts, parks)
    assert due_in[0] <= decision.due_at - NOON <= due_in[1]
    if paused_for is None:
        assert decision.pause_until is None
    else:
        assert decision.pause_until is not None
        assert paused_for[0] <= decision.pause_until - NOON <= paused_for[1]


@pytest.mark.parametrize(("failures", "seconds"), [(1, 2), (3, 8), (8, 256), (9, 300), (40, 300)])
def test_probes_come_in_growing_gaps(failures: int, seconds: int) -> None:
    """While the vendor is away the gap doubles, up to five minutes."""
    pause = decide(Unreachable(), now=NOON, attempts=1, failures=failures).pause_until
    assert pause is not None
    assert seconds * 1_000 <= pause - NOON <= seconds * 1_250


@pytest.mark.parametrize(("attempts", "seconds"), [(2, 4), (5, 32), (30, 600)])
def test_a_conflict_comes_back_later_and_later(attempts: int, seconds: int) -> None:
    """A contact under edit is tried again after 2 seconds, growing to ten minutes."""
    due = decide(Conflict(), now=NOON, attempts=attempts, failures=0).due_at
    assert seconds * 1_000 <= due - NOON <= seconds * 1_250


def test_a_sign_up_that_breaks_the_server_lets_the_others_pass() -> None:
    """Its own distance outgrows the common pause, so the next in line gets its turn."""
    decision = decide(ServerFault(), now=NOON, attempts=4, failures=0)
    assert decision.pause_until is not None
    assert decision.due_at > decision.pause_until
