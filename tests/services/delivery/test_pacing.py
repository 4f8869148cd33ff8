"""When a booked call leaves."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from services.constant_contact.quota import CallQuota
from services.delivery.pacing import NotSent, Pacing, depart, departing
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.quota.ledger import QuotaLedger
from store.quota.state import Wait
from tests.services.conftest import Clock, System


class SlowDisk(QuotaLedger):
    """Each booking takes its time, and `late` tells how long, in milliseconds."""

    clock: Clock
    late = 0

    def reserve(self, now: int, *, own_probe: bool = False, ahead_ms: int = 0) -> int | Wait:
        booked = super().reserve(now, own_probe=own_probe, ahead_ms=ahead_ms)
        self.clock.now = max(self.clock.now, booked if isinstance(booked, int) else 0) + self.late
        return booked


class Waiting(threading.Event):
    """Notes for how long somebody waits, and lets that time pass at once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.waited = clock, 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited += round((timeout or 0) * 1000)
        self.clock.now += round((timeout or 0) * 1000)
        return self.is_set()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A system in which no time passes while somebody waits for the database."""
    system = System(
        tmp_path,
        store=lambda store: replace(store, deliveries=Deliveries(store.database, monotonic=lambda: 0.0)),
    )
    system.connect()
    yield system
    system.database.close()


@pytest.fixture
def disk(system: System) -> SlowDisk:
    disk = SlowDisk(system.database, monotonic=lambda: 0.0)
    disk.clock = system.clock
    return disk


@pytest.fixture
def departures(system: System, disk: SlowDisk) -> Pacing:
    permits = CallQuota(disk, clock=system.clock, monotonic=system.clock.monotonic)
    return Pacing(quota=permits, ledger=disk, clock=system.clock)


_numbers = count()


def claim(system: System) -> Claimed:
    system.sign_up(f"p{next(_numbers)}@example.org")
    claimed = system.attempt.claim()
    assert isinstance(claimed, Claimed), claimed
    return claimed


def test_a_call_is_booked_ahead_and_leaves_at_its_time(system: System, departures: Pacing) -> None:
    """The commit's time is then not lost, and neither is a millisecond of the second."""
    began = system.clock.now
    claims = []
    for _ in range(4):
        system.clock.now += 1
        claims.append(claim(system))
    system.clock.now = began + 860
    fifth = claim(system)
    assert fifth.starts_at == claims[0].starts_at + 1_080
    stop = Waiting(system.clock)
    departures.wait_for(fifth, stop)
    assert stop.waited == fifth.starts_at - (began + 860)


def test_nobody_books_further_ahead_than_a_quarter_of_a_second(system: System) -> None:
    """A sign-up that comes in meanwhile would have to wait behind it."""
    first = claim(system).starts_at
    for _ in range(3):
        claim(system)
    system.sign_up("late@example.org")
    system.clock.now = first + 1_080 - 251
    step = system.attempt.claim()
    assert not isinstance(step, Claimed)
    assert step.until == first + 1_080 - 250


@pytest.mark.parametrize(("late", "calls"), [(40, 1), (41, 2)])
def test_a_call_that_is_late_is_booked_anew(
    system: System, departures: Pacing, late: int, calls: int
) -> None:
    """It would fall into somebody else's second; the rest of the guard is the network's."""
    claimed = claim(system)
    system.clock.now += late
    departures.wait_for(claimed, threading.Event())
    assert system.quota.read().used == calls


def test_where_every_booking_takes_long_the_gaps_grow_until_they_cover_it(
    system: System, departures: Pacing, disk: SlowDisk
) -> None:
    """Else a slow disk would hold back every call for ever."""
    claimed = claim(system)
    disk.late = 300
    system.clock.now += 300
    departures.wait_for(claimed, Waiting(system.clock))
    assert system.quota.read().margin_at(system.clock.now) - 40 >= 300


def test_a_guard_that_has_grown_lets_later_calls_leave(
    system: System, departures: Pacing, disk: SlowDisk
) -> None:
    """It was widened because they are late."""
    disk.throttled(system.clock.now - 1_500)
    claimed = claim(system)
    system.clock.now += 90
    departures.wait_for(claimed, threading.Event())
    assert system.quota.read().used == 1


@pytest.mark.parametrize("why", ["stopped", "frozen"])
def test_a_call_that_shall_not_leave_is_not_sent(system: System, departures: Pacing, why: str) -> None:
    """Whoever holds the lease by then sends it."""
    claimed, stop = claim(system), threading.Event()
    if why == "stopped":
        stop.set()
    else:
        system.clock.now += 15_001
    with pytest.raises(NotSent):
        departures.wait_for(claimed, stop)
    assert system.quota.read().used == 1


def test_a_clock_that_was_set_back_holds_nothing_up(system: System, departures: Pacing) -> None:
    """A call waits a quarter of a second at most, or its lease would end."""
    claimed = claim(system)
    system.clock.now -= 50_000
    stop = Waiting(system.clock)
    departures.wait_for(claimed, stop)
    assert stop.waited == 250


def test_a_clock_that_was_set_forward_brings_no_fifth_call_into_a_second(
    system: System, disk: SlowDisk
) -> None:
    """What left a moment ago seems to have left an hour ago, so that four more would go out at once.

    Set back again, it holds nothing up.
    """
    leapt = [0]
    departures = Pacing(
        quota=CallQuota(disk, clock=system.clock, monotonic=lambda: (system.clock() - leapt[0]) / 1000),
        ledger=disk,
        clock=system.clock,
    )
    stop = Waiting(system.clock)
    departures.wait_for(claim(system), stop)
    leapt[0] = 3_600_000
    system.clock.now += leapt[0]
    system.nobody_left()
    early, began = [claim(system), claim(system)], system.clock.now
    for claimed in early:
        assert claimed.starts_at - began <= 0
        departures.wait_for(claimed, stop)
        assert system.clock.now - began >= 1_080
    departures.wait_for(claim(system), stop)
    assert system.quota.read().used == 1 + 2 + 2 + 1
    leapt[0] = 0
    system.clock.now -= 3_600_000
    system.nobody_left()
    # The calls of the time that has not come count as just now.
    system.attempt.claim()
    system.clock.now += 2_000
    departures.wait_for(claim(system), stop)
    assert system.quota.read().used == 7


def test_only_the_first_call_of_a_delivery_waits(system: System) -> None:
    """Every further one takes a permit of its own."""
    left: list[int] = []
    with departing(lambda: left.append(1)):
        depart()
        depart()
    depart()
    assert left == [1]
