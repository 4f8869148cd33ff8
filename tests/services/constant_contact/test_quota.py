"""Calls that are not deliveries come out of the same quota."""

import pytest

from services.constant_contact.errors import ConnectionUnusable, NoCallLeft
from services.constant_contact.quota import CallQuota
from store.outbox.claimed import Claimed
from tests.services.conftest import System
from tests.support.patience import Patient


def test_each_permit_is_booked(system: System) -> None:
    """The day's count grows with every call, whoever makes it."""
    permits = CallQuota(system.quota, clock=system.clock, monotonic=system.clock.monotonic)
    permits.reserve()
    permits.reserve()
    assert system.quota.read().used == 2


def test_a_full_second_is_waited_out(system: System) -> None:
    """The fifth call of a second goes out in the next one, at the time that was booked ahead for it."""
    permits = CallQuota(system.quota, clock=system.clock, monotonic=system.clock.monotonic)
    for _ in range(4):
        permits.reserve()
    system.clock.tick = 100
    began = system.clock.now
    assert permits.reserve() == began + 1_080
    assert system.clock.now - began >= 830
    assert system.quota.read().used == 5


def test_a_pause_stops_what_can_wait_and_not_what_mends_it(system: System) -> None:
    """A person who connects anew must get through while the old tokens' pause lasts."""
    permits = CallQuota(system.quota, clock=system.clock, monotonic=system.clock.monotonic)
    system.quota.pause(until=system.clock.now + 900_000, reason="401")
    with pytest.raises(NoCallLeft):
        permits.reserve()
    permits.reserve(urgent=True)


def test_a_token_is_seen_to_before_the_call_is_booked(system: System) -> None:
    """Else it would wait for one after its booking, and leave in somebody else's second."""
    used: list[int] = []

    def authorize() -> None:
        used.append(system.quota.read().used)

    CallQuota(system.quota, clock=system.clock, authorize=authorize).reserve()
    assert (used, system.quota.read().used) == ([0], 1)


def test_without_a_token_nothing_is_booked(system: System) -> None:
    """What brings a token of its own goes out all the same."""

    def authorize() -> None:
        raise ConnectionUnusable

    permits = CallQuota(system.quota, clock=system.clock, authorize=authorize)
    with pytest.raises(ConnectionUnusable):
        permits.reserve()
    assert system.quota.read().used == 0
    permits.reserve(urgent=True)
    assert system.quota.read().used == 1


def test_who_has_more_patience_waits_longer(system: System) -> None:
    """A delivery that has begun waits for its further calls."""
    permits = CallQuota(system.quota, clock=system.clock, monotonic=system.clock.monotonic)
    system.quota.throttled(system.clock.now)
    system.quota.throttled(system.clock.now)
    system.clock.tick = 400
    with pytest.raises(NoCallLeft):
        permits.reserve(patience_ms=500)
    permits.reserve(patience_ms=6_000)
    assert system.quota.read().used == 1


def test_the_probe_itself_need_not_wait_for_its_outcome(system: System) -> None:
    """Everybody else does."""
    system.sign_up()
    system.quota.pause(until=system.clock.now, reason="away")
    system.clock.now += 1
    claimed = system.attempt.claim()
    assert isinstance(claimed, Claimed)
    assert claimed.probe
    permits = CallQuota(system.quota, clock=system.clock, monotonic=system.clock.monotonic)
    with pytest.raises(NoCallLeft):
        permits.reserve()
    permits.reserve(own_probe=True)
    assert system.quota.read().used == 2


@pytest.mark.parametrize("urgent", [False, True])
def test_a_clock_that_was_set_forward_brings_no_fifth_call_into_a_second(
    system: System, urgent: bool
) -> None:
    """The calls of a moment ago seem to be an hour old: what lists and opt-outs cost, waits a second too."""
    permits = CallQuota(
        system.quota,
        clock=system.clock,
        monotonic=lambda: (system.clock.now - leapt) / 1000,
        new_event=lambda: Patient(system.clock),
    )
    leapt = 0
    for _ in range(4):
        permits.reserve()
    leapt = 3_600_000
    system.clock.now += leapt
    began = system.clock.now
    assert permits.reserve(urgent=urgent) >= began + 1_080
    # The call that was booked by the wrong clock counts as made.
    assert system.quota.read().used == 4 + 1 + 1
