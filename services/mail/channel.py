"""What every way of sending a message has in common."""

from typing import Protocol

from store.mail.messages import Message


class NotSent(Exception):
    """The message was not taken; the text is a sentence for an admin, without secrets and personal data.

    `refused`: the other side takes messages, and not this one. Else it is away, or refuses all of them.
    """

    def __init__(self, sentence: str, *, refused: bool = False) -> None:
        self.refused = refused
        super().__init__(sentence)


class Channel(Protocol):
    """One way of sending messages."""

    def send(self, message: Message, *, now: int) -> None:
        """Send it, within a minute; `now` is epoch ms.

        Raises:
            NotSent: it was not taken, or nobody knows whether it was.
        """
