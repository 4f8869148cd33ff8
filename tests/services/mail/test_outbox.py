"""The outbox goes on trying until a message was taken, or for four days."""

from dataclasses import dataclass, field

import pytest

from services.mail.channel import NotSent
from services.mail.outbox import GIVEN_UP_AFTER_MS, LONGEST_GAP_MS, Outbox
from services.problems import Level
from store.engine.database import Database
from store.mail.messages import Message, Messages, NewMessage
from tests.services.conftest import Clock


@dataclass
class Scripted:
    """A channel that fails as long as there is a `fault`."""

    fault: NotSent | None = None
    sent: list[Message] = field(default_factory=list)
    tried_at: list[int] = field(default_factory=list)

    def send(self, message: Message, *, now: int) -> None:
        self.tried_at.append(now)
        if self.fault is not None:
            raise self.fault
        self.sent.append(message)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def email() -> Scripted:
    return Scripted()


@pytest.fixture
def outbox(each_database: Database, clock: Clock, email: Scripted) -> Outbox:
    return Outbox(Messages(each_database), {"email": email}, clock)


def put(outbox: Outbox, *subjects: str, channel: str = "email") -> None:
    new = [NewMessage(channel, "ada@example.org", subject, "body") for subject in subjects]
    outbox.messages.put(new, now=outbox.clock())


def test_everything_that_is_due_is_sent_in_order(outbox: Outbox, email: Scripted) -> None:
    """Once."""
    put(outbox, "one", "two", "three")
    assert outbox.send_due() == 3
    assert outbox.send_due() == 0
    assert [message.subject for message in email.sent] == ["one", "two", "three"]


def test_a_server_that_is_away_loses_nothing(outbox: Outbox, clock: Clock, email: Scripted) -> None:
    """It is tried with growing gaps, of a quarter of an hour at most; then all comes in order."""
    email.fault = NotSent("away")
    began = clock.now
    put(outbox, "raised")
    for minute in range(120):
        if minute == 60:
            put(outbox, "cleared")
        outbox.send_due()
        clock.now += 60_000
    gaps = [after - before for before, after in zip(email.tried_at, email.tried_at[1:], strict=False)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == LONGEST_GAP_MS
    (problem,) = outbox.problems()
    assert (problem.code, problem.level, problem.public) == ("messages_waiting", Level.WARNING, False)
    assert problem.sentence == "Alerts cannot be sent by e-mail at the moment, and wait. away"
    email.fault = None
    while len(email.sent) < 2:
        outbox.send_due()
        clock.now += 60_000
    assert [message.subject for message in email.sent] == ["raised", "cleared"]
    assert len({message.message_id for message in email.sent}) == 2
    assert clock.now - began < 120 * 60_000 + LONGEST_GAP_MS + 120_000
    assert outbox.problems() == ()


def test_after_four_days_a_person_is_told(outbox: Outbox, clock: Clock, email: Scripted) -> None:
    """And nobody tries any more; a week later it is forgotten."""
    email.fault = NotSent("refused", refused=True)
    put(outbox, "one")
    began = clock.now
    while clock.now - began < GIVEN_UP_AFTER_MS + LONGEST_GAP_MS:
        outbox.send_due()
        clock.now += LONGEST_GAP_MS
    tries = len(email.tried_at)
    clock.now += LONGEST_GAP_MS
    assert outbox.send_due() == 0
    assert len(email.tried_at) == tries
    (problem,) = outbox.problems()
    assert problem.code == "messages_given_up"
    clock.now += 7 * 86_400_000
    assert outbox.problems() == ()


def test_a_way_that_is_no_longer_set_up_is_given_up_at_once(outbox: Outbox) -> None:
    """Its address stands in the settings only."""
    put(outbox, "one", channel="webhook")
    assert outbox.send_due() == 0
    assert [problem.code for problem in outbox.problems()] == ["messages_given_up"]


def test_a_short_failure_is_nobodys_problem(outbox: Outbox, clock: Clock, email: Scripted) -> None:
    """It passes before anybody has read of it; and what only waits for its turn has not failed."""
    email.fault = NotSent("away")
    put(outbox, "one")
    outbox.send_due()
    clock.now += 60_000
    assert outbox.problems() == ()
