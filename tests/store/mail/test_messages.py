"""The outbox of messages: each is sent once or a person learns of it, in order, whoever dies meanwhile."""

import pytest

from store.engine.database import Database
from store.mail.messages import KEPT_MS, LEASE_MS, Message, Messages, NewMessage
from tests.store.conftest import in_threads

ADA, BO = "ada@example.org", "bo@example.org"


def mail(subject: str, to: str = ADA, channel: str = "email") -> NewMessage:
    return NewMessage(channel, to, subject, f"About {subject}.")


@pytest.fixture
def outbox(database: Database) -> Messages:
    return Messages(database)


def claimed(outbox: Messages, now: int) -> Message:
    message = outbox.claim(now)
    assert message is not None
    return message


def test_a_message_is_claimed_sent_and_kept(outbox: Messages) -> None:
    """What was put in comes out as it was, once."""
    outbox.put([mail("first")], now=5)
    assert outbox.claim(4) is None
    message = claimed(outbox, 5)
    assert (message.channel, message.recipient, message.subject) == ("email", ADA, "first")
    assert (message.body, message.attempts, message.created_at) == ("About first.", 1, 5)
    assert message.message_id.startswith("msg_")
    assert outbox.claim(6) is None
    assert outbox.sent(message, now=7)
    assert not outbox.sent(message, now=8)
    assert outbox.claim(9_999_999) is None


def test_a_lease_that_ran_out_is_taken_over(outbox: Messages) -> None:
    """Whoever died has sent nothing for all we know; who was only slow changes nothing any more."""
    outbox.put([mail("first")], now=0)
    slow = claimed(outbox, 0)
    assert outbox.claim(LEASE_MS - 1) is None
    other = claimed(outbox, LEASE_MS)
    assert (other.message_id, other.attempts) == (slow.message_id, 2)
    assert not outbox.sent(slow, now=LEASE_MS)
    assert not outbox.postpone(slow, due_at=0, error="x", refused=False)
    assert not outbox.give_up(slow, now=0, error="x")
    assert outbox.sent(other, now=LEASE_MS)


def test_those_for_one_recipient_keep_their_order(outbox: Messages) -> None:
    """While their server is away the younger one waits too; another recipient's does not."""
    outbox.put([mail("begin"), mail("end"), mail("other", to=BO), mail("same", channel="webhook")], now=0)
    begin = claimed(outbox, 0)
    assert outbox.postpone(begin, due_at=60, error="away", refused=False)
    assert [claimed(outbox, 1).subject, claimed(outbox, 1).subject] == ["other", "same"]
    assert outbox.claim(59) is None
    begin = claimed(outbox, 60)
    assert begin.subject == "begin"
    assert outbox.claim(60) is None
    assert outbox.sent(begin, now=60)
    assert claimed(outbox, 60).subject == "end"


def test_one_that_was_refused_holds_nobody_up(outbox: Messages) -> None:
    """Its server takes mail, and this one not."""
    outbox.put([mail("spam"), mail("end")], now=0)
    assert outbox.postpone(claimed(outbox, 0), due_at=60, error="refused", refused=True)
    assert claimed(outbox, 0).subject == "end"
    assert claimed(outbox, 60).subject == "spam"


def test_what_the_outbox_tells_of_itself(outbox: Messages) -> None:
    """Since when the oldest waits and why, and how many were given up of late."""
    assert outbox.outlook(given_up_since=0) == (waits := outbox.outlook(given_up_since=0))
    assert (waits.waiting_since, waits.last_error, waits.given_up) == (None, None, 0)
    outbox.put([mail("first"), mail("second", to=BO)], now=5)
    assert outbox.give_up(claimed(outbox, 5), now=10, error="gone")
    assert outbox.postpone(claimed(outbox, 5), due_at=60, error="away", refused=False)
    waits = outbox.outlook(given_up_since=9)
    assert (waits.waiting_since, waits.last_error, waits.channel, waits.given_up) == (5, "away", "email", 1)
    assert outbox.outlook(given_up_since=10).given_up == 0


def test_old_messages_are_deleted_and_waiting_ones_never(outbox: Messages) -> None:
    """Thirty days after their end."""
    outbox.put([mail("first"), mail("second", to=BO), mail("waits", channel="webhook")], now=0)
    assert outbox.sent(claimed(outbox, 0), now=10)
    assert outbox.give_up(claimed(outbox, 0), now=11, error="gone")
    assert outbox.prune(KEPT_MS + 9) == 0
    assert outbox.prune(KEPT_MS + 10) == 1
    assert outbox.prune(KEPT_MS * 2) == 1
    assert claimed(outbox, KEPT_MS * 2).subject == "waits"


def test_several_that_look_at_once_claim_each_message_once(outbox: Messages) -> None:
    """Eight processes' worth of threads share twenty messages."""
    outbox.put([mail(str(number), to=f"p{number}@example.org") for number in range(20)], now=0)
    taken: list[str] = []

    def work(_: int) -> None:
        while (message := outbox.claim(0)) is not None:
            taken.append(message.subject)
            assert outbox.sent(message, now=1)

    in_threads(8, work)
    # Who finds all due rows locked by others goes; what they left is there for the next look.
    work(0)
    assert sorted(taken, key=int) == [str(number) for number in range(20)]
