"""From the stored sign-up to the vendor's answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oauth.errors import NeverSent
from services.constant_contact.client import SignedUp
from services.constant_contact.errors import (
    Conflict,
    QuotaExceeded,
    Rejected,
    ServerFault,
    Throttled,
    Unreachable,
)
from services.delivery.attempt import Outcome
from store.errors import StoreUnavailable
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.signups.records import SignupRecords
from tests.services.conftest import System
from tests.services.vendor import NEWSLETTER


def test_a_sign_up_reaches_the_vendor_as_its_contract_wants(system: System) -> None:
    """The body holds the address as a string, the lists, and only the fields that were filled in."""
    signup_id = system.sign_up(first_name="Ann", phone="123", job_title="")
    assert system.attempt.step().outcome is Outcome.DELIVERED
    assert system.vendor.signed_up == [
        {
            "email_address": "ann@example.org",
            "list_memberships": [NEWSLETTER.list_id],
            "first_name": "Ann",
            "phone_number": "123",
        }
    ]
    view = system.statuses.status(signup_id)
    assert view is not None
    assert (view.status, view.contact_id, view.attempts, view.next_attempt_at) == (
        "subscribed",
        "contact-1",
        1,
        None,
    )


def test_nothing_is_called_without_a_connection(system: System) -> None:
    """While disconnected the sign-up waits and no call is booked."""
    system.connections.disconnect(now=system.clock.now)
    system.sign_up()
    assert system.attempt.step().outcome is Outcome.IDLE
    assert system.vendor.signed_up == []
    assert system.quota.read().used == 0


@pytest.mark.parametrize("fault", [Unreachable(), Throttled(), QuotaExceeded()])
def test_a_fault_of_all_pauses_all_and_costs_nobody_a_try(system: System, fault: Exception) -> None:
    """During the pause nothing is sent; after it the same sign-up is first, with no try used up."""
    system.vendor.script = [fault]
    first, _second = system.sign_up(), system.sign_up("bob@example.org")
    assert system.attempt.step().outcome is Outcome.POSTPONED
    idle = system.attempt.step()
    assert idle.outcome is Outcome.IDLE
    assert len(system.vendor.signed_up) == 1
    assert idle.until is not None
    system.clock.now = idle.until
    assert system.attempt.step().outcome is Outcome.DELIVERED
    view = system.statuses.status(first)
    assert view is not None
    assert (view.status, view.attempts) == ("subscribed", 1)


def test_a_success_ends_the_growing_of_gaps(system: System) -> None:
    """After one success the next fault starts with a short pause again."""
    system.vendor.script = [Unreachable(), Unreachable(), SignedUp("c", "created"), Unreachable()]
    system.sign_up()
    system.sign_up("bob@example.org")
    failures = []
    for _ in range(4):
        step = system.attempt.step()
        failures.append(system.quota.read().failures)
        system.clock.now += 10_000
        assert step.outcome is not Outcome.IDLE
    assert failures == [1, 2, 0, 1]


def test_a_refused_sign_up_is_put_aside_and_the_next_is_delivered(system: System) -> None:
    """A 400 parks its own row only; it is kept and says why in plain words."""
    system.vendor.script = [Rejected(key="contacts.api.validation", detail="ann@example.org is odd")]
    refused, fine = system.sign_up(), system.sign_up("bob@example.org")
    assert system.attempt.step().outcome is Outcome.PARKED
    assert system.attempt.step().outcome is Outcome.DELIVERED
    parked, delivered = system.statuses.status(refused), system.statuses.status(fine)
    assert parked is not None
    assert delivered is not None
    assert (parked.status, parked.next_attempt_at, delivered.status) == ("parked", None, "subscribed")
    assert (
        parked.last_error == "Constant Contact refused this sign-up as it stands. (contacts.api.validation)"
    )


def test_the_vendors_own_sentence_is_for_admins_alone(system: System) -> None:
    """It stands with the call and with the sign-up, without the person; not where holders of a key look."""
    system.vendor.script = [
        Conflict(detail="Busy."),
        Rejected(detail="ann@example.org: no Ann here"),
    ]
    signup_id = system.sign_up(first_name="Ann")
    system.attempt.step()
    (waiting,) = system.newest(5)
    assert waiting.vendor_said == "Busy."
    system.clock.now += 60_000
    system.attempt.step()
    records = SignupRecords(system.database)
    record = records.find(signup_id)
    assert record is not None
    calls = [attempt.vendor_said for attempt in records.attempts_for(record)]
    assert record.vendor_said == "[hidden]: no [hidden] here"
    assert calls == ["Busy.", record.vendor_said]
    assert "[hidden]" not in str(system.view(signup_id))


def test_a_success_leaves_the_sentence_with_the_call_alone(system: System) -> None:
    """A person need not act on it any more."""
    system.vendor.script = [Conflict(detail="Busy.")]
    signup_id = system.sign_up()
    system.attempt.step()
    system.clock.now += 60_000
    assert system.attempt.step().outcome is Outcome.DELIVERED
    records = SignupRecords(system.database)
    record = records.find(signup_id)
    assert record is not None
    assert record.vendor_said is None
    assert [attempt.vendor_said for attempt in records.attempts_for(record)] == ["Busy.", None]


def test_a_conflict_waits_for_its_own_turn(system: System) -> None:
    """A 409 delays its own contact and nobody else."""
    system.vendor.script = [Conflict()]
    system.sign_up()
    system.sign_up("bob@example.org")
    outcomes = [system.attempt.step().outcome for _ in range(3)]
    assert outcomes == [Outcome.POSTPONED, Outcome.DELIVERED, Outcome.IDLE]


def test_a_poisonous_sign_up_does_not_block_the_queue(system: System) -> None:
    """A row that makes the server fail each time gives way to the one behind it."""
    system.vendor.script = [ServerFault(), SignedUp("c", "created")]
    system.sign_up()
    system.sign_up("bob@example.org")
    system.attempt.step()
    system.clock.now += 2_000
    assert system.attempt.step().outcome is Outcome.DELIVERED
    assert system.vendor.signed_up[1]["email_address"] == "bob@example.org"


@contextmanager
def looping(system: System) -> Iterator[None]:
    """The delivery's own thread, as in a web worker."""
    stop = threading.Event()
    loop = threading.Thread(target=system.delivery.run, args=(stop,))
    loop.start()
    try:
        yield
    finally:
        stop.set()
        system.delivery.wake()
        loop.join(5)
        assert not loop.is_alive()


def subscribed_soon(system: System, signup_id: str) -> bool:
    pause = threading.Event()
    for _ in range(250):
        view = system.statuses.status(signup_id)
        if view and view.status == "subscribed":
            return True
        pause.wait(0.02)
    return False


def test_the_loop_delivers_when_woken_and_ends_when_stopped(system: System) -> None:
    """A sign-up wakes the sleeping loop; stop and wake end it."""
    with looping(system):
        assert subscribed_soon(system, system.sign_up())


def test_a_fault_of_our_own_counts_for_its_row_and_ends(system: System) -> None:
    """In growing gaps, at last parked with the wish to report it; who comes meanwhile is delivered."""
    system.vendor.errors["ann@example.org"] = KeyError("unforeseen")
    signup_id = system.sign_up()
    gaps, outcomes = [], []
    for number in range(8):
        outcomes.append(system.attempt.step().outcome)
        other = system.sign_up(f"other{number}@example.org")
        assert system.attempt.step().outcome is Outcome.DELIVERED
        assert system.view(other).status == "subscribed"
        due_at = system.view(signup_id).next_attempt_at
        if due_at is not None:
            gaps.append(due_at - system.clock.now)
            system.clock.now = due_at
    assert outcomes == [Outcome.POSTPONED] * 7 + [Outcome.PARKED]
    assert gaps[0] < gaps[2] < gaps[4] < gaps[6]
    view = system.view(signup_id)
    assert view.status == "parked"
    assert "fault of this program" in str(view.last_error)
    assert "report it" in str(view.last_error)
    assert "unforeseen" not in str(view.last_error)


def test_the_loop_outlives_an_unforeseen_fault(system: System) -> None:
    """An exception nobody foresaw costs its own sign-up the lease; the next one is delivered."""
    system.vendor.script = [RuntimeError("unforeseen")]
    system.sign_up()
    with looping(system):
        assert subscribed_soon(system, system.sign_up("bob@example.org"))


def test_a_drain_reports_what_it_did(system: System) -> None:
    """Delivered, parked and still waiting are counted; the drain ends when nothing is due."""
    system.vendor.script = [Rejected(), SignedUp("c", "created"), Conflict()]
    for name in ("ann", "bob", "cyd"):
        system.sign_up(f"{name}@example.org")
    system.clock.tick = 1
    report = system.delivery.drain(1.5)
    assert (report.delivered, report.parked, report.postponed, report.pending) == (1, 1, 1, 1)


def test_several_sign_ups_of_one_contact_are_one_call(system: System) -> None:
    """All of them show as subscribed, with the contact's id."""
    ids = [system.sign_up(first_name="Ann"), system.sign_up(last_name="Smith"), system.sign_up(phone="1")]
    assert system.attempt.step().outcome is Outcome.DELIVERED
    assert system.vendor.signed_up == [
        {
            "email_address": "ann@example.org",
            "list_memberships": [NEWSLETTER.list_id],
            "first_name": "Ann",
            "last_name": "Smith",
            "phone_number": "1",
        }
    ]
    assert [(system.view(each).status, system.view(each).contact_id) for each in ids] == [
        ("subscribed", "contact-1")
    ] * 3
    assert system.quota.read().used == 1


def test_a_refused_call_for_several_parks_only_the_one_at_fault(system: System) -> None:
    """The leader is tried by itself; those behind it follow in a call of their own."""
    system.vendor.script = [Rejected(), Rejected(), SignedUp("c", "created")]
    bad, fine, too = system.sign_up(phone="bad"), system.sign_up(first_name="Ann"), system.sign_up()
    outcomes = [step_when_open(system) for _ in range(3)]
    assert outcomes == [Outcome.POSTPONED, Outcome.PARKED, Outcome.DELIVERED]
    assert [body.get("phone_number") for body in system.vendor.signed_up] == ["bad", "bad", None]
    assert system.vendor.signed_up[2]["first_name"] == "Ann"
    assert [system.view(each).status for each in (bad, fine, too)] == ["parked", "subscribed", "subscribed"]


FIVE = [f"p{number}@example.org" for number in range(5)]


def refuse_all(system: System, count: int, key: str = "contacts.api.validation") -> None:
    system.vendor.script = [Rejected(key=key) for _ in range(count)]


def step_when_open(system: System) -> Outcome:
    """The next step that is not idle."""
    for _ in range(10):
        step = system.attempt.step()
        if step.outcome is not Outcome.IDLE:
            return step.outcome
        assert step.until is not None
        system.clock.now = max(step.until, system.clock.now)
    raise AssertionError("nothing but pauses")


def test_five_contacts_refused_alike_pause_all_and_park_none(system: System) -> None:
    """A deleted list must not put a backlog aside: all wait, and go on once it is mended."""
    refuse_all(system, 7)
    ids = [system.sign_up(email) for email in [*FIVE, "p5@example.org", "p6@example.org"]]
    for _ in range(5):
        step_when_open(system)
    assert len(system.vendor.signed_up) == 5
    assert {system.view(each).status for each in ids} == {"queued"}
    problems = " ".join(problem.sentence for problem in system.health.report().problems)
    assert "Was a list or a custom field deleted?" in problems
    # Each probe is one call; while they are refused too, everything goes on waiting.
    for calls in (6, 7):
        step_when_open(system)
        assert len(system.vendor.signed_up) == calls
        assert system.attempt.step().outcome is Outcome.IDLE
    assert {system.view(each).status for each in ids} == {"queued"}
    for _ in range(7):
        assert step_when_open(system) is Outcome.DELIVERED
    assert {system.view(each).status for each in ids} == {"subscribed"}


@pytest.mark.parametrize("between", ["another key", "a success"])
def test_refusals_that_have_nothing_in_common_park_each_its_own(system: System, between: str) -> None:
    """Refused for five reasons, or with a success between, they are five bad sign-ups."""
    keys = [f"key.{'abcde'[number]}" for number in range(5)] if between == "another key" else ["key"] * 5
    system.vendor.errors = {email: Rejected(key=key) for email, key in zip(FIVE, keys, strict=True)}
    ids = [system.sign_up(email) for email in FIVE]
    system.sign_up("else@example.org")
    for _ in range(6):
        step_when_open(system)
    assert {system.view(each).status for each in ids} == {"parked"}


def test_one_contact_refused_five_times_is_one_contact(system: System) -> None:
    """Somebody who tries a bad field again and again does not stop the others."""
    refuse_all(system, 5)
    for _ in range(5):
        system.sign_up()
        step_when_open(system)
        assert system.quota.read().failures == 0


def test_five_bad_sign_ups_in_a_row_hold_up_good_ones_for_minutes_only(system: System) -> None:
    """A newer one is tried first after the pause; what is bad is put aside in the end, at little cost."""
    system.vendor.refuses = set(FIVE)
    bad = [system.sign_up(email) for email in FIVE]
    for _ in range(5):
        step_when_open(system)
    began = system.clock.now
    for number in range(6):
        good = system.sign_up(f"good{number}@example.org")
        while system.view(good).status != "subscribed":
            step_when_open(system)
        assert system.clock.now - began < 300_000 * (number + 1)
    while (until := system.attempt.step().until) is not None or system.deliveries.pending_up_to(1):
        system.clock.now = max(until or 0, system.clock.now)
    assert {system.view(each).status for each in bad} == {"parked"}
    assert len(system.vendor.signed_up) <= 6 + 5 * 5


def test_no_call_is_booked_before_there_is_a_token(system: System) -> None:
    """A call that waits for its token would reach the vendor later than it was booked."""
    signup_id = system.sign_up()
    system.connect(lasts_ms=0)
    system.authorization.fault = NeverSent("away")
    step = system.attempt.step()
    assert (step.outcome, step.until) == (Outcome.IDLE, system.clock.now + 5_000)
    assert (system.quota.read().used, system.quota.read().failures) == (0, 0)
    system.authorization.fault = None
    system.connect()
    assert system.attempt.step().outcome is Outcome.DELIVERED
    assert system.view(signup_id).attempts == 1


def test_without_sign_ups_no_token_is_asked_for(system: System) -> None:
    """An idle process asks the database one question."""
    system.connect(lasts_ms=0)
    assert system.attempt.step().until is None
    assert system.authorization.refreshes == 0


def test_a_call_of_a_process_that_was_frozen_is_given_back(system: System) -> None:
    """Its lease may be over before the answer is there, and somebody else sends the same."""
    signup_id = system.sign_up()
    claimed = system.attempt.claim()
    assert isinstance(claimed, Claimed)
    system.clock.now += 15_001
    assert system.attempt.carry(claimed, threading.Event()).outcome is Outcome.POSTPONED
    assert system.vendor.signed_up == []
    view = system.view(signup_id)
    assert (view.status, view.attempts, view.last_error) == ("queued", 0, None)
    assert view.next_attempt_at == system.clock.now
    assert system.attempt.step().outcome is Outcome.DELIVERED


def test_what_is_not_sent_when_the_process_ends_is_given_back(system: System) -> None:
    """It is due at once, for whoever delivers next."""
    signup_id = system.sign_up()
    claimed = system.attempt.claim()
    assert isinstance(claimed, Claimed)
    stop = threading.Event()
    stop.set()
    system.attempt.carry(claimed, stop)
    assert system.vendor.signed_up == []
    assert (system.view(signup_id).attempts, system.view(signup_id).next_attempt_at) == (0, system.clock.now)


def test_a_database_that_is_away_for_a_moment_costs_no_second_call(tmp_path: Path) -> None:
    """The vendor has taken the sign-up; writing that down is tried again."""
    system = System(
        tmp_path, store=lambda store: replace(store, deliveries=ForgetfulDeliveries(store.database))
    )
    system.connect()
    signup_id = system.sign_up()
    assert system.attempt.step().outcome is Outcome.DELIVERED
    assert (len(system.vendor.signed_up), system.view(signup_id).status) == (1, "subscribed")
    system.database.close()


class ForgetfulDeliveries(Deliveries):
    """A store that is away when the first verdict comes."""

    away = True

    def delivered(self, claimed: Claimed, **verdict: Any) -> bool:
        if self.away:
            self.away = False
            raise StoreUnavailable("away")
        return super().delivered(claimed, **verdict)


def test_calls_that_are_throttled_together_slow_us_down_once(system: System) -> None:
    """Four at a time would bring the guard to its largest for most of an hour."""
    system.vendor.script = [Throttled() for _ in range(4)]
    claims = []
    for number in range(4):
        system.sign_up(f"p{number}@example.org")
        claims.append(system.attempt.claim())
        system.clock.now += 10
    for claimed in claims:
        assert isinstance(claimed, Claimed)
        system.attempt.carry(claimed, threading.Event())
    assert system.quota.read().margin_at(system.clock.now) == 140
