"""Calls that are not deliveries come out of the same budget."""

from __future__ import annotations

import pytest

from services.constant_contact import NoCallLeft
from services.permits import CallPermits
from tests.services.conftest import House


def test_each_permit_is_booked(house: House) -> None:
    """The day's count grows with every call, whoever makes it."""
    permits = CallPermits(house.budget, clock=house.clock)
    permits.take()
    permits.take()
    assert house.budget.read().used == 2


def test_a_full_second_is_waited_out(house: House) -> None:
    """The fifth call of a second goes out in the next one."""
    permits = CallPermits(house.budget, clock=house.clock)
    for _ in range(4):
        permits.take()
    house.clock.tick = 100
    began = house.clock.now
    permits.take()
    assert house.clock.now - began >= 1_000
    assert house.budget.read().used == 5


def test_a_pause_stops_what_can_wait_and_not_what_mends_it(house: House) -> None:
    """A person who connects anew must get through while the old tokens' pause lasts."""
    permits = CallPermits(house.budget, clock=house.clock)
    house.budget.pause(until=house.clock.now + 900_000, reason="401")
    with pytest.raises(NoCallLeft):
        permits.take()
    permits.take(urgent=True)
