"""An admin connects or disconnects while another process refreshes."""

import signal

from tests.oauth.processes.conftest import Here, Stored, Vendor, wait_for
from tests.oauth.processes.members import Member, Time

HOURS = 3_600


def test_a_reconnect_waits_for_the_refresh_in_flight_and_its_tokens_win(here: Here) -> None:
    """The code is sent when the refresh has ended: else its late answer could end the new tokens."""
    here.connect()
    refresher, admin = here.member(waits_for_real=True), here.member(waits_for_real=True)
    here.clock.advance(23 * HOURS)
    here.vendor.fault(times=1, delay=1.5)
    refresher.begin("tend")
    wait_for("the refresh", here.vendor.refreshes)
    state = admin.do("press_connect")
    admin.begin("come_back", state, here.vendor.code())
    assert refresher.outcome() is None
    assert admin.outcome() is None
    (refresh,), exchange = here.vendor.refreshes(), here.vendor.calls()[-1]
    assert exchange["time"] - refresh["time"] >= 1.5
    assert (here.stored.row().epoch, here.stored.row().generation) == (2, 3)
    check_that_the_newest_tokens_live_on(here.vendor, here.stored, here.clock, [refresher, admin])


def test_a_refresh_that_answers_after_a_reconnect_is_dropped(here: Here) -> None:
    """Its process slept through its lease, an admin connected, and what it holds is of the old consent."""
    here.connect()
    sleeper, admin = here.member(mishap=("after", signal.SIGSTOP)), here.member()
    here.clock.advance(23 * HOURS)
    sleeper.begin("tend")
    sleeper.wait_until_paused()
    assert admin.do("come_back", admin.do("press_connect"), here.vendor.code()) is None
    kept = here.stored.row()
    assert kept.epoch == 2
    sleeper.go_on()
    assert sleeper.outcome() is None
    assert here.stored.row() == kept
    check_that_the_newest_tokens_live_on(here.vendor, here.stored, here.clock, [sleeper, admin])


def test_a_refresh_that_answers_after_a_disconnect_is_dropped(here: Here) -> None:
    """Disconnected stays disconnected, in every process, and nobody asks the vendor again."""
    here.connect()
    refresher, admin = here.member(waits_for_real=True), here.member(waits_for_real=True)
    here.clock.advance(24 * HOURS)
    here.vendor.fault(times=1, delay=1)
    refresher.begin("current")
    wait_for("the refresh", here.vendor.refreshes)
    assert admin.do("disconnect") is None
    disconnected = here.stored.row()
    assert (disconnected.state, disconnected.refresh_sealed) == ("disconnected", None)
    assert refresher.outcome() == "NotConnected"
    assert here.vendor.refreshes()[0]["status"] == 200
    for each in (refresher, admin):
        each.do("tend")
        assert each.do("current") == "NotConnected"
    assert here.stored.row() == disconnected
    assert len(here.vendor.refreshes()) == 1


def check_that_the_newest_tokens_live_on(
    vendor: Vendor, stored: Stored, clock: Time, members: list[Member]
) -> None:
    assert stored.refresh_token() == vendor.newest()
    for _ in range(2):
        assert [each.do("call_the_api", 1, 1) for each in members] == [[], []]
        clock.advance(24 * HOURS)
    assert stored.refresh_token() == vendor.newest()
    assert (stored.row().state, vendor.nothing_was_reused()) == ("connected", True)
