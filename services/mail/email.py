"""Messages as e-mails."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Protocol

from store.mail.messages import Message

# RFC 5322, section 2.1.1.
LONGEST_LINE = 998


class MailTransport(Protocol):
    """What takes a finished e-mail: a mail server, or the sandbox's mailbox."""

    def send(self, mail: EmailMessage) -> None:
        """Hand the e-mail over; raise services.mail.channel.NotSent when it was not taken."""


@dataclass(frozen=True)
class Email:
    """The channel of e-mails; `sender` is an address, or a name with an address in angle brackets."""

    transport: MailTransport
    sender: str

    def send(self, message: Message, *, now: int) -> None:  # noqa: ARG002 - dated by its origin
        """Send the message, see services.mail.channel.Channel."""
        self.transport.send(email_of(message, self.sender))


def email_of(message: Message, sender: str) -> EmailMessage:
    """Return the message as a plain-text e-mail, the same at each attempt."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = message.recipient
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.created_at / 1000, UTC))
    domain = parseaddr(sender)[1].rpartition("@")[2]
    mail["Message-ID"] = f"<{message.message_id}@{domain}>"
    # RFC 3834: nobody's vacation notice answers it.
    mail["Auto-Submitted"] = "auto-generated"
    # Not 8bit, which a server need not take.
    mail.set_content(message.body, cte="quoted-printable")
    if message.subject.isascii():
        # Folded as the library does it, the subject would begin in the next line, with a space for some.
        mail.policy = mail.policy.clone(max_line_length=LONGEST_LINE)
    return mail
