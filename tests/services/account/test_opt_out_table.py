"""How the table of opt-outs is kept: what it costs, how a long list is read, and what holds without it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.account import opt_outs as rules
from services.constant_contact.catalog import Page
from services.constant_contact.errors import ConstantContactError, Misconfigured, Rejected, ServerFault
from services.delivery.attempt import Outcome
from services.problems import Level
from store.opt_outs import OptedOut
from store.outbox.claims import BACKLOG_PER_DAY, DELIVERIES_PER_DAY
from tests.services.conftest import System
from tests.services.delivery.test_sign_up import FIND, FORM, LEFT, SHORT, SandboxedSystem
from tests.services.vendor import ScriptedVendor

SECOND, MINUTE, DAY = 1_000, 60_000, 86_400_000
LOOKED, SENT, READ = (*FIND, 200), (*FORM, 201), (*LEFT, 200)


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[SandboxedSystem]:
    """A system whose account's opt-outs were never read."""
    sandboxed = SandboxedSystem(tmp_path)
    sandboxed.connect(opt_outs_read=False)
    yield sandboxed
    sandboxed.database.close()


class Lister(ScriptedVendor):
    """A vendor with so many pages of opt-outs; `answer` may fail instead."""

    def __init__(self, pages: int) -> None:
        super().__init__()
        self.most = pages
        self.leads_to_itself = False
        self.asked_pages: list[str | None] = []
        self.answer: Callable[[], None] = lambda: None

    def opt_outs(self, since: int, page: str | None = None) -> Page[OptedOut]:
        super().opt_outs(since, page)
        self.asked_pages.append(page)
        self.answer()
        number = int(page or 1)
        following = str(number + 1) if number < self.most else None
        if self.leads_to_itself:
            following = "2"
        return Page((OptedOut(f"left-{number}@example.org", 1),), following)


@pytest.fixture
def lister(tmp_path: Path) -> Iterator[Callable[[int], tuple[System, Lister]]]:
    """A system with a vendor that has so many pages of opt-outs, none of them read."""
    systems = []

    def opened(pages: int) -> tuple[System, Lister]:
        vendor = Lister(pages)
        systems.append(System(tmp_path, vendor=vendor))
        systems[-1].connect(opt_outs_read=False)
        return systems[-1], vendor

    yield opened
    for each in systems:
        each.database.close()


def failing(error: ConstantContactError) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


# What it costs


def test_many_sign_ups_cost_one_call_a_minute_besides_their_own(sandboxed: SandboxedSystem) -> None:
    """120 sign-ups in two minutes cost 122 calls: one reading a minute, not one for each sign-up."""
    calls: list[Any] = []
    for number in range(120):
        sandboxed.sign_up(f"p{number}@example.org")
        calls += sandboxed.deliver()
        sandboxed.later(SECOND)
    assert (calls.count(SENT), calls.count(READ), len(calls)) == (120, 2, 122)


def test_a_backlog_costs_a_call_a_minute_besides(sandboxed: SandboxedSystem) -> None:
    """240 sign-ups in a minute, four a second, cost one reading."""
    for number in range(120):
        sandboxed.sign_up(f"p{number}@example.org")
        # Not so many in a minute that some would be suspected.
        sandboxed.later(SECOND)
    sandboxed.later(DAY)
    calls: list[Any] = []
    for _ in range(120):
        calls += sandboxed.deliver()
        sandboxed.later(400)
    assert (calls.count(SENT), calls.count(READ), len(calls)) == (120, 1, 121)


def test_on_a_busy_day_ten_minutes_are_new_enough_for_what_has_just_come_in(
    sandboxed: SandboxedSystem,
) -> None:
    """What has waited for over a minute needs a newer table even then."""
    sandboxed.sign_up("first@example.org")
    assert sandboxed.deliver()[0] == READ
    sandboxed.use_up(rules.BUSY_FROM_CALLS)
    sandboxed.later(9 * MINUTE)
    sandboxed.sign_up("second@example.org")
    assert sandboxed.deliver() == [SENT]
    sandboxed.sign_up("third@example.org")
    sandboxed.later(MINUTE + 1)
    assert READ in sandboxed.deliver()


def test_what_waits_for_tomorrow_uses_up_no_calls(sandboxed: SandboxedSystem) -> None:
    """Behind an old backlog the table is read every ten minutes, for today's sign-ups."""
    sandboxed.sign_up("old@example.org")
    sandboxed.later(2 * 60 * MINUTE)
    sandboxed.use_up(BACKLOG_PER_DAY)
    calls: list[Any] = []
    for _ in range(61):
        calls += sandboxed.deliver()
        sandboxed.later(MINUTE)
    assert calls == [READ] * 6
    sandboxed.use_up(DELIVERIES_PER_DAY)
    sandboxed.later(20 * MINUTE)
    assert sandboxed.deliver() == []


def test_nothing_due_is_no_reason_to_ask(sandboxed: SandboxedSystem) -> None:
    """Where nothing is due, the table is not read."""
    assert sandboxed.deliver() == []
    sandboxed.sign_up(SHORT)
    sandboxed.deliver()
    sandboxed.later(DAY)
    assert sandboxed.deliver() == []


def test_it_is_read_at_each_start(sandboxed: SandboxedSystem, tmp_path: Path) -> None:
    """Also without traffic: the stored table may come from a backup."""
    sandboxed.sign_up(SHORT)
    sandboxed.deliver()
    sandboxed.later(SECOND)
    sandboxed.database.close()
    again = SandboxedSystem(tmp_path, other=sandboxed)
    before = again.account.calls
    again.later(11 * SECOND)
    again.opt_out_table.fill()
    assert again.account.calls_since(before) == [READ]
    again.later(SECOND)
    again.sign_up("bob@example.org")
    assert again.deliver() == [SENT]
    again.database.close()


def test_a_look_overlaps_the_one_before(lister: Callable[[int], tuple[System, Lister]]) -> None:
    """Clocks differ, and the vendor's list lags behind what a contact did."""
    system, vendor = lister(1)
    system.sign_up()
    system.attempt.step()
    first = system.clock.now
    system.clock.now += DAY
    system.sign_up("bob@example.org")
    system.attempt.step()
    assert vendor.opt_outs_since == [0, first - rules.OVERLAP_MS]


# A long list


def test_a_long_list_is_read_page_by_page_and_each_is_looked_up_until_then(
    lister: Callable[[int], tuple[System, Lister]],
) -> None:
    """A page every two seconds between deliveries; the reading goes on where it stopped."""
    system, vendor = lister(4)
    system.clock.now += SECOND
    for number in range(3):
        system.sign_up(f"p{number}@example.org")
    assert system.attempt.step().outcome is Outcome.DELIVERED
    assert (vendor.asked_pages, len(vendor.looked_up)) == ([None], 1)
    system.clock.now += SECOND
    system.attempt.step()
    assert (vendor.asked_pages, len(vendor.looked_up)) == ([None], 2)
    system.clock.now += SECOND
    system.attempt.step()
    assert (vendor.asked_pages, len(vendor.looked_up)) == ([None, "2"], 3)
    told: list[list[str]] = []
    for _ in range(3):
        system.clock.now += 10 * SECOND
        system.opt_out_table.fill()
        told.append(
            [problem.code for problem in system.opt_out_table.problems() if problem.level is Level.OK]
        )
    assert vendor.asked_pages == [None, "2", "3", "4"]
    assert told == [["opt_outs_being_read"], [], []]
    system.sign_up("after@example.org")
    system.clock.now += SECOND
    system.attempt.step()
    assert len(vendor.looked_up) == 3
    assert len(vendor.signed_up) == 4
    for number in (1, 2, 3, 4):
        assert system.opt_outs.standing(f"left-{number}@example.org").opt_out is not None


def test_the_first_reading_goes_on_without_traffic_and_leaves_a_share_of_the_day(
    lister: Callable[[int], tuple[System, Lister]],
) -> None:
    """It asks to be called soon while pages are missing, and stops at its limit for the day."""
    system, vendor = lister(10**6)
    system.clock.now += 11 * SECOND
    assert system.opt_out_table.fill() == rules.FILL_EVERY_MS / SECOND
    assert system.opt_out_table.fill() == rules.FILL_EVERY_MS / SECOND
    assert len(vendor.asked_pages) == 1
    with system.database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE opt_out_refresh SET pages = {rules.PAGES_PER_DAY - 1}")
    for _ in range(5):
        system.clock.now += 10 * SECOND
        system.opt_out_table.fill()
    assert len(vendor.asked_pages) == 2
    system.clock.now += DAY
    system.opt_out_table.fill()
    assert len(vendor.asked_pages) == 3


@pytest.mark.parametrize("reason", ["used up", "failing", "disconnected", "just connected"])
def test_the_first_reading_gives_way(lister: Callable[[int], tuple[System, Lister]], reason: str) -> None:
    """It makes no call where few are left, or after a failure."""
    system, vendor = lister(3)
    system.clock.now += SECOND if reason == "just connected" else 11 * SECOND
    if reason == "used up":
        system.use_up(BACKLOG_PER_DAY)
    if reason == "failing":
        system.quota.pause(until=system.clock.now, reason="away")
    if reason == "disconnected":
        system.connections.disconnect(now=system.clock.now)
    system.opt_out_table.fill()
    assert vendor.asked_pages == []


def test_a_link_that_ran_out_begins_the_round_anew(lister: Callable[[int], tuple[System, Lister]]) -> None:
    """After a pause the reading begins with the first page; what was read is kept."""
    system, vendor = lister(3)
    system.clock.now += 11 * SECOND
    system.opt_out_table.fill()
    vendor.answer = failing(Rejected(key="contacts.api.validation.error"))
    system.clock.now += 10 * SECOND
    system.opt_out_table.fill()
    vendor.answer = lambda: None
    for _ in range(4):
        system.clock.now += 30 * SECOND
        system.opt_out_table.fill()
    assert vendor.asked_pages == [None, "2", None, "2", "3"]
    assert system.opt_outs.outlook(system.clock.now).refresh.refreshed_at > 0


# Without it


@pytest.mark.parametrize("error", [ServerFault(), Misconfigured(), Rejected(key="a.b")])
def test_when_the_list_cannot_be_had_each_is_looked_up(
    lister: Callable[[int], tuple[System, Lister]], error: ConstantContactError
) -> None:
    """No check is skipped, nobody is paused or parked, and the pause between readings grows."""
    system, vendor = lister(1)
    vendor.answer = failing(error)
    for number in range(20):
        system.sign_up(f"p{number}@example.org")
        assert system.attempt.step().outcome is Outcome.DELIVERED
        system.clock.now += 5 * SECOND
    assert (len(vendor.signed_up), len(vendor.looked_up)) == (20, 20)
    assert len(vendor.asked_pages) == 4
    assert [problem.code for problem in system.opt_out_table.problems()] == ["opt_outs_unread"]
    vendor.answer = lambda: None
    system.clock.now += DAY
    system.sign_up("after@example.org")
    system.attempt.step()
    assert system.opt_out_table.problems() == []
    assert system.quota.read().paused_until is None


def test_while_another_process_reads_this_one_waits_a_moment_and_no_longer(
    lister: Callable[[int], tuple[System, Lister]],
) -> None:
    """A process that died while reading delays nobody: each contact is looked up then."""
    system, vendor = lister(1)
    system.sign_up()
    system.opt_outs.begin(system.clock.now, lease_ms=rules.LEASE_MS)
    idle = system.attempt.step()
    assert (idle.outcome, idle.until) == (Outcome.IDLE, system.clock.now + rules.LOOK_AGAIN_MS)
    system.clock.now += rules.PATIENCE_MS
    assert system.attempt.step().outcome is Outcome.DELIVERED
    assert (vendor.asked_pages, len(vendor.looked_up)) == ([], 1)


def test_a_page_that_leads_to_itself_ends_no_round(lister: Callable[[int], tuple[System, Lister]]) -> None:
    """It would be read for ever, and the rest of the list is unknown."""
    system, vendor = lister(3)
    vendor.leads_to_itself = True
    for _ in range(4):
        system.clock.now += MINUTE
        system.opt_out_table.fill()
    assert system.opt_outs.outlook(system.clock.now).refresh.refreshed_at == 0
    assert system.opt_outs.outlook(system.clock.now).refresh.failures > 0
