"""Waiting for the verdict on one sign-up."""

import threading

import pytest

from services.access.requester import ANONYMOUS
from services.constant_contact.errors import Unreachable
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.intake.result import SignupResults
from tests.services.conftest import System
from tests.services.vendor import NEWSLETTER


def sign_up(system: System, email: str = "ann@example.org") -> str:
    submission = read_form([("email", email), ("list_id", NEWSLETTER.list_id)])
    return system.intake.accept(submission, ANONYMOUS, Evidence()).id


def waiting(system: System, seconds: float) -> SignupResults:
    """For so long, with room for two who wait."""
    return SignupResults(
        signups=system.signups,
        deliveries=system.deliveries,
        quota=system.quota,
        connection=system.connection,
        wait_seconds=seconds,
        waiters=2,
        clock=system.clock,
    )


def test_a_delivered_sign_up_is_told_with_its_contact(system: System) -> None:
    """Created or updated, and the contact's id, come from the vendor's answer."""
    signup_id = sign_up(system)
    system.attempt.step()
    verdict = waiting(system, 1).wait_for(signup_id)
    assert (verdict.status, verdict.action, verdict.contact_id) == ("subscribed", "created", "contact-1")


def test_a_sign_up_that_another_carried_is_told_as_subscribed(system: System) -> None:
    """It has the same contact, and the person has no interest in whose call it was."""
    sign_up(system)
    second = sign_up(system)
    system.attempt.step()
    verdict = waiting(system, 1).wait_for(second)
    assert (verdict.status, verdict.action, verdict.contact_id) == ("subscribed", "created", "contact-1")


def test_a_verdict_that_comes_while_waiting_is_seen(system: System) -> None:
    """The delivery may happen in another thread or process."""
    signup_id = sign_up(system)
    timer = threading.Timer(0.1, system.attempt.step)
    timer.start()
    verdict = waiting(system, 5).wait_for(signup_id)
    timer.join()
    assert verdict.status == "subscribed"


def test_the_wait_ends_in_time(system: System) -> None:
    """Without a delivery the answer is "queued" after wait_seconds of the clock."""
    signup_id = sign_up(system)
    system.clock.tick = 200
    began = system.clock.now
    assert waiting(system, 1.2).wait_for(signup_id).status == "queued"
    assert system.clock.now - began <= 1_200 + 4 * 200


@pytest.mark.parametrize(("at_most", "longest"), [(0.4, 1_200), (3600, 2_000), (None, 2_000)])
def test_a_sender_may_shorten_the_wait_and_not_lengthen_it(
    system: System, at_most: float | None, longest: int
) -> None:
    """What the service allows stays the limit: its threads are for everybody."""
    signup_id = sign_up(system)
    system.clock.tick = 200
    began = system.clock.now
    assert waiting(system, 1.2).wait_for(signup_id, at_most=at_most).status == "queued"
    assert system.clock.now - began <= longest
    assert at_most == 0.4 or system.clock.now - began >= 1_200


def test_a_failed_call_ends_the_wait_at_once(system: System) -> None:
    """Once the vendor has failed, more waiting brings nothing."""
    system.vendor.script = [Unreachable()]
    signup_id = sign_up(system)
    system.attempt.step()
    system.clock.now += 60_000
    assert waiting(system, 3600).wait_for(signup_id).status == "queued"


def test_a_token_that_runs_out_ends_the_wait(system: System) -> None:
    """The delivery may now wait seconds for a new one; a visitor does not."""
    signup_id = sign_up(system)
    system.clock.now += 86_400_000 - 120_000 - 500
    system.clock.tick = 100
    began = system.clock.now
    assert waiting(system, 3600).wait_for(signup_id).status == "queued"
    assert system.clock.now - began < 3_000


@pytest.mark.parametrize(
    "why", ["paused", "disconnected", "token ends", "long queue", "no waiter left", "no waiting"]
)
def test_there_is_no_wait_that_cannot_be_worth_it(system: System, why: str) -> None:
    """The clock stands still, so each of these would hang if it waited."""
    signup_id = sign_up(system)
    verdicts = waiting(system, 3600)
    if why == "paused":
        system.quota.pause(until=system.clock.now + 60_000, reason="away")
    elif why == "disconnected":
        system.connections.disconnect(now=system.clock.now)
    elif why == "token ends":
        system.clock.now += 86_400_000 - 120_000
    elif why == "long queue":
        for number in range(4):
            sign_up(system, f"p{number}@example.org")
    elif why == "no waiter left":
        verdicts._waiting.acquire()
        verdicts._waiting.acquire()
    else:
        verdicts = waiting(system, 0)
    assert verdicts.wait_for(signup_id).status == "queued"


@pytest.mark.parametrize(
    ("later_ms", "status"),
    [(0, "queued"), (199, "queued"), (200, "subscribed"), (-1, "subscribed"), (-60_000, "subscribed")],
)
def test_a_no_is_remembered_for_a_fifth_of_a_second(system: System, later_ms: int, status: str) -> None:
    """In a burst nobody asks the store again; a clock that is set back makes nobody wait for the old time."""
    signup_id = sign_up(system)
    system.attempt.step()
    system.quota.pause(until=system.clock.now + 60_000, reason="away")
    verdicts = waiting(system, 1)
    assert verdicts.wait_for(signup_id).status == "queued"
    system.quota.resume()
    system.clock.now += later_ms
    assert verdicts.wait_for(signup_id).status == status
