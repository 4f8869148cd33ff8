"""Sends what is in the outbox of messages, and goes on trying: who is away for a day loses none."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from services.mail.channel import Channel, NotSent
from services.problems import Level, Problem
from store.engine.clock import Clock
from store.mail.messages import EMAIL, Message, Messages

log = structlog.get_logger(__name__)

FIRST_GAP_MS = 30_000
LONGEST_GAP_MS = 15 * 60_000
# A mail server that is away over a long weekend gets everything; after that nobody wants to read it.
GIVEN_UP_AFTER_MS = 4 * 86_400_000
# Shorter failures pass before anybody has read of them.
TOLD_AFTER_MS = 15 * 60_000
TOLD_FOR_MS = 7 * 86_400_000
AT_ONCE = 100
WAYS = {EMAIL: "by e-mail"}


class _NotSet:
    """In the place of a channel that is no longer in the settings."""

    def send(self, message: Message, *, now: int) -> None:  # noqa: ARG002 - nowhere to send it to
        """Refuse, see services.mail.channel.Channel."""
        raise NotSent("This way of sending is not set up any more.", refused=True)


NOT_SET = _NotSet()


@dataclass(frozen=True)
class Outbox:
    """Sends messages by their channels; one of a channel that is no longer set is given up."""

    messages: Messages
    channels: Mapping[str, Channel]
    clock: Clock

    def send_due(self) -> int:
        """Send what is due, a hundred at most; return how many were sent. Raises store.errors.StoreError."""
        sent = 0
        for _ in range(AT_ONCE):
            message = self.messages.claim(self.clock())
            if message is None:
                break
            sent += self._send(message)
        return sent

    def prune(self) -> int:
        """Delete messages that ended long ago; return how many."""
        return self.messages.prune(self.clock())

    def problems(self) -> tuple[Problem, ...]:
        """Return whether messages wait that cannot be sent, or were given up in the last week."""
        now = self.clock()
        outlook = self.messages.outlook(given_up_since=now - TOLD_FOR_MS)
        found = []
        if outlook.last_error and outlook.waiting_since and now - outlook.waiting_since > TOLD_AFTER_MS:
            way = WAYS.get(outlook.channel or "", "by webhook")
            sentence = f"Alerts cannot be sent {way} at the moment, and wait. {outlook.last_error}"
            cure = "Correct the settings it names; `flask alerts test` tries them."
            found.append(Problem("messages_waiting", Level.WARNING, sentence, cure, public=False))
        if outlook.given_up:
            sentence = (
                f"Alerts that could not be sent within four days, and were given up: {outlook.given_up}."
            )
            found.append(Problem("messages_given_up", Level.WARNING, sentence, public=False))
        return tuple(found)

    def _send(self, message: Message) -> bool:
        channel = self.channels.get(message.channel, NOT_SET)
        try:
            channel.send(message, now=self.clock())
        except NotSent as error:
            self._failed(message, error, final=channel is NOT_SET)
            return False
        about = {"channel": message.channel, "message": message.message_id, "attempts": message.attempts}
        if self.messages.sent(message, now=self.clock()):
            log.info("message_sent", **about)
        else:
            log.warning("message_sent_too_late", **about)
        return True

    def _failed(self, message: Message, error: NotSent, *, final: bool) -> None:
        now = self.clock()
        about = {"channel": message.channel, "message": message.message_id, "attempts": message.attempts}
        if final or now - message.created_at >= GIVEN_UP_AFTER_MS:
            self.messages.give_up(message, now=now, error=str(error))
            log.error("message_given_up", cause=str(error), **about)
            return
        due_at = now + min(LONGEST_GAP_MS, FIRST_GAP_MS << min(message.attempts - 1, 10))
        self.messages.postpone(message, due_at=due_at, error=str(error), refused=error.refused)
        log.warning("message_not_sent", cause=str(error), **about)
