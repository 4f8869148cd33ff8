"""An admin connects or disconnects while another process refreshes."""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests.oauth.processes.conftest import Stored, Vendor, wait_for
from tests.oauth.processes.members import Member, Time

HOURS = 3_600


def test_a_reconnect_waits_for_the_refresh_in_flight_and_its_tokens_win(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """The code is sent when the refresh has ended: else its late answer could end the new tokens."""
    connect()
    refresher, admin = member(waits_for_real=True), member(waits_for_real=True)
    clock.advance(23 * HOURS)
    vendor.fault(times=1, delay=1.5)
    refresher.begin("tend")
    wait_for("the refresh", vendor.refreshes)
    state = admin.do("press_connect")
    admin.begin("come_back", state, vendor.code())
    assert refresher.outcome() is None
    assert admin.outcome() is None
    (refresh,), exchange = vendor.refreshes(), vendor.calls()[-1]
    assert exchange["time"] - refresh["time"] >= 1.5
    assert (stored.row().epoch, stored.row().generation) == (2, 3)
    check_that_the_newest_tokens_live_on(vendor, stored, clock, [refresher, admin])


def test_a_refresh_that_answers_after_a_reconnect_is_dropped(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """Its process slept through its lease, an admin connected, and what it holds is of the old consent."""
    connect()
    sleeper, admin = member(mishap=("after", signal.SIGSTOP)), member()
    clock.advance(23 * HOURS)
    sleeper.begin("tend")
    sleeper.wait_until_paused()
    assert admin.do("come_back", admin.do("press_connect"), vendor.code()) is None
    kept = stored.row()
    assert kept.epoch == 2
    sleeper.go_on()
    assert sleeper.outcome() is None
    assert stored.row() == kept
    check_that_the_newest_tokens_live_on(vendor, stored, clock, [sleeper, admin])


def test_a_refresh_that_answers_after_a_disconnect_is_dropped(
    vendor: Vendor,
    stored: Stored,
    clock: Time,
    connect: Callable[[], None],
    member: Callable[..., Member],
) -> None:
    """Disconnected stays disconnected, in every process, and nobody asks the vendor again."""
    connect()
    refresher, admin = member(waits_for_real=True), member(waits_for_real=True)
    clock.advance(24 * HOURS)
    vendor.fault(times=1, delay=1)
    refresher.begin("current")
    wait_for("the refresh", vendor.refreshes)
    assert admin.do("disconnect") is None
    disconnected = stored.row()
    assert (disconnected.state, disconnected.refresh_sealed) == ("disconnected", None)
    assert refresher.outcome() == "NotConnected"
    assert vendor.refreshes()[0]["status"] == 200
    for each in (refresher, admin):
        each.do("tend")
        assert each.do("current") == "NotConnected"
    assert stored.row() == disconnected
    assert len(vendor.refreshes()) == 1


def check_that_the_newest_tokens_live_on(
    vendor: Vendor, stored: Stored, clock: Time, members: list[Member]
) -> None:
    assert stored.refresh_token() == vendor.newest()
    for _ in range(2):
        assert [each.do("call_the_api", 1, 1) for each in members] == [[], []]
        clock.advance(24 * HOURS)
    assert stored.refresh_token() == vendor.newest()
    assert (stored.row().state, vendor.nothing_was_reused()) == ("connected", True)
