"""From the stored sign-up to the vendor's answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services import ANONYMOUS, Evidence
from services.constant_contact import (
    Conflict,
    QuotaExceeded,
    Rejected,
    ServerFault,
    SignedUp,
    Throttled,
    Unreachable,
)
from services.delivery import Outcome
from services.submission import read_form
from tests.services.conftest import House
from tests.services.vendor import NEWSLETTER


def sign_up(house: House, email: str = "ann@example.org", **fields: str) -> str:
    submission = read_form([("email", email), ("list_id", NEWSLETTER.list_id), *fields.items()])
    return house.intake.accept(submission, ANONYMOUS, Evidence()).id


def test_a_sign_up_reaches_the_vendor_as_its_contract_wants(house: House) -> None:
    """The body holds the address as a string, the lists, and only the fields that were filled in."""
    signup_id = sign_up(house, first_name="Ann", phone="123", job_title="")
    assert house.courier.step().outcome is Outcome.DELIVERED
    assert house.vendor.signed_up == [
        {
            "email_address": "ann@example.org",
            "list_memberships": [NEWSLETTER.list_id],
            "first_name": "Ann",
            "phone_number": "123",
        }
    ]
    view = house.intake.status(signup_id)
    assert view is not None
    assert (view.status, view.contact_id, view.attempts, view.next_attempt_at) == (
        "subscribed",
        "contact-1",
        1,
        None,
    )


def test_nothing_is_called_without_a_connection(house: House) -> None:
    """While disconnected the sign-up waits and no call is booked."""
    house.connections.disconnect(now=house.clock.now)
    sign_up(house)
    assert house.courier.step().outcome is Outcome.IDLE
    assert house.vendor.signed_up == []
    assert house.budget.read().used == 0


@pytest.mark.parametrize("fault", [Unreachable(), Throttled(), QuotaExceeded()])
def test_a_fault_of_all_pauses_all_and_costs_nobody_a_try(house: House, fault: Exception) -> None:
    """During the pause nothing is sent; after it the same sign-up is first, with no try used up."""
    house.vendor.script = [fault]
    first, _second = sign_up(house), sign_up(house, "bob@example.org")
    assert house.courier.step().outcome is Outcome.POSTPONED
    idle = house.courier.step()
    assert idle.outcome is Outcome.IDLE
    assert len(house.vendor.signed_up) == 1
    assert idle.until is not None
    house.clock.now = idle.until
    assert house.courier.step().outcome is Outcome.DELIVERED
    view = house.intake.status(first)
    assert view is not None
    assert (view.status, view.attempts) == ("subscribed", 1)


def test_a_success_ends_the_growing_of_gaps(house: House) -> None:
    """After one success the next fault starts with a short pause again."""
    house.vendor.script = [Unreachable(), Unreachable(), SignedUp("c", "created"), Unreachable()]
    sign_up(house)
    sign_up(house, "bob@example.org")
    failures = []
    for _ in range(4):
        step = house.courier.step()
        failures.append(house.budget.read().failures)
        house.clock.now += 10_000
        assert step.outcome is not Outcome.IDLE
    assert failures == [1, 2, 0, 1]


def test_a_refused_sign_up_is_put_aside_and_the_next_is_delivered(house: House) -> None:
    """A 400 parks its own row only; it is kept and says why in plain words."""
    house.vendor.script = [Rejected(key="contacts.api.validation", detail="ann@example.org is odd")]
    refused, fine = sign_up(house), sign_up(house, "bob@example.org")
    assert house.courier.step().outcome is Outcome.PARKED
    assert house.courier.step().outcome is Outcome.DELIVERED
    parked, delivered = house.intake.status(refused), house.intake.status(fine)
    assert parked is not None
    assert delivered is not None
    assert (parked.status, parked.next_attempt_at, delivered.status) == ("parked", None, "subscribed")
    assert (
        parked.last_error == "Constant Contact refused this sign-up as it stands. (contacts.api.validation)"
    )


def test_a_conflict_waits_for_its_own_turn(house: House) -> None:
    """A 409 delays its own contact and nobody else."""
    house.vendor.script = [Conflict()]
    sign_up(house)
    sign_up(house, "bob@example.org")
    outcomes = [house.courier.step().outcome for _ in range(3)]
    assert outcomes == [Outcome.POSTPONED, Outcome.DELIVERED, Outcome.IDLE]


def test_a_poisonous_sign_up_does_not_block_the_queue(house: House) -> None:
    """A row that makes the server fail each time gives way to the one behind it."""
    house.vendor.script = [ServerFault(), SignedUp("c", "created")]
    sign_up(house)
    sign_up(house, "bob@example.org")
    house.courier.step()
    house.clock.now += 2_000
    assert house.courier.step().outcome is Outcome.DELIVERED
    assert house.vendor.signed_up[1]["email_address"] == "bob@example.org"


@contextmanager
def looping(house: House) -> Iterator[None]:
    """The delivery's own thread, as in a web worker."""
    stop = threading.Event()
    loop = threading.Thread(target=house.delivery.run, args=(stop,))
    loop.start()
    try:
        yield
    finally:
        stop.set()
        house.delivery.wake()
        loop.join(5)
        assert not loop.is_alive()


def subscribed_soon(house: House, signup_id: str) -> bool:
    pause = threading.Event()
    for _ in range(250):
        view = house.intake.status(signup_id)
        if view and view.status == "subscribed":
            return True
        pause.wait(0.02)
    return False


def test_the_loop_delivers_when_woken_and_ends_when_stopped(house: House) -> None:
    """A sign-up wakes the sleeping loop; stop and wake end it."""
    with looping(house):
        assert subscribed_soon(house, sign_up(house))


def test_the_loop_outlives_an_unforeseen_fault(house: House) -> None:
    """An exception nobody foresaw costs its own sign-up the lease; the next one is delivered."""
    house.vendor.script = [RuntimeError("unforeseen")]
    sign_up(house)
    with looping(house):
        assert subscribed_soon(house, sign_up(house, "bob@example.org"))


def test_a_drain_reports_what_it_did(house: House) -> None:
    """Delivered, parked and still waiting are counted; the drain ends when nothing is due."""
    house.vendor.script = [Rejected(), SignedUp("c", "created"), Conflict()]
    for name in ("ann", "bob", "cyd"):
        sign_up(house, f"{name}@example.org")
    house.clock.tick = 1
    report = house.delivery.drain(1.5)
    assert (report.delivered, report.parked, report.postponed, report.pending) == (1, 1, 1, 1)
