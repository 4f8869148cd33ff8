"""The e-mails that the application would have sent, for a page and for tests."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

# The oldest are thrown away: the mailbox is in memory.
MOST = 500


@dataclass(frozen=True)
class Mail:
    """An e-mail that arrived at `at`, epoch seconds; `headers` are all of them, as they were sent."""

    at: float
    sender: str
    to: str
    subject: str
    text: str
    headers: dict[str, str]

    @property
    def arrived(self) -> str:
        """When it arrived, for a person."""
        return f"{datetime.fromtimestamp(self.at, UTC):%Y-%m-%d %H:%M:%S} UTC"


class Mailbox:
    """The latest 500 e-mails. The caller holds the world's lock."""

    def __init__(self) -> None:
        self._mails: list[Mail] = []

    def receive(self, content: bytes, *, at: float) -> None:
        """Keep an e-mail, which is in the format of RFC 5322."""
        mail = message_from_bytes(content, EmailMessage, policy=policy.default)
        text = mail.get_body(("plain", "html"))
        self._mails.append(
            Mail(
                at=at,
                sender=str(mail["From"]),
                to=str(mail["To"]),
                subject=str(mail["Subject"]),
                text=text.get_content() if text else "",
                headers={name: str(value) for name, value in mail.items()},
            )
        )
        del self._mails[:-MOST]

    def newest_first(self) -> list[Mail]:
        """Return the e-mails for a page."""
        return self._mails[::-1]

    def shown(self) -> list[dict[str, Any]]:
        """Return the e-mails as JSON members, oldest first."""
        return [asdict(mail) for mail in self._mails]
