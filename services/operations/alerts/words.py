"""What an alert says: a plain mail for people, JSON for programs. No personal data, no secret."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from services.operations.alerts.decision import Event
from services.operations.alerts.kinds import AlertKind
from store.mail.alerts import AlertState
from store.mail.messages import EMAIL, NewMessage

PRODUCT = "Subscriber Sync"
TEST = "test"
THEN = {
    Event.RAISED: "You will get a reminder each day while this lasts, and a message when it is over.",
    Event.REMINDER: "This is the daily reminder. You will get a message when it is over.",
    Event.CLEARED: "There is nothing left to do.",
    Event.PASSED: "It is over, and there is nothing left to do.",
}


@dataclass(frozen=True)
class Target:
    """Where alerts go: `store.mail.messages.EMAIL` with an address, or `WEBHOOK` without."""

    channel: str
    recipient: str = ""

    def __str__(self) -> str:
        """Return where that is, for an admin."""
        return self.recipient or self.channel


@dataclass(frozen=True)
class Words:
    """Writes messages; `base_url` is this service's address, None where it is not known."""

    base_url: str | None

    def alert(
        self, target: Target, kind: AlertKind, event: Event, state: AlertState, *, now: int
    ) -> NewMessage:
        """Return the message of an event; `now` is epoch ms."""
        headline = kind.ended if event is Event.CLEARED else kind.begun
        subject = self._subject(f"Still: {headline}" if event is Event.REMINDER else headline)
        if event is Event.PASSED:
            subject = self._subject(f"Resolved: {headline}")
        if target.channel == EMAIL:
            return NewMessage(EMAIL, target.recipient, subject, self._mail(headline, event, state))
        data = {
            "kind": kind.name,
            "title": headline,
            "problems": state.problems,
            "since": _iso(state.began_at),
            "last_seen": _iso(state.seen_at),
            "url": self._admin(),
        }
        body = _json(f"alert.{event.value}", now, data)
        return NewMessage(target.channel, target.recipient, subject, body)

    def test(self, target: Target, *, now: int) -> NewMessage:
        """Return a message that says only that it arrived."""
        subject = self._subject("A test of the alerts")
        text = "This is a test. Alerts arrive here when something needs a person."
        if target.channel == EMAIL:
            return NewMessage(EMAIL, target.recipient, subject, f"{text}\n\n{self._where()}")
        data = {"title": text, "url": self._admin()}
        return NewMessage(target.channel, target.recipient, subject, _json(f"alert.{TEST}", now, data))

    def _mail(self, headline: str, event: Event, state: AlertState) -> str:
        parts = [_paragraph(problem) for problem in state.problems]
        if event in {Event.CLEARED, Event.PASSED}:
            parts = [f"{headline}. This was last seen at {_time(state.seen_at)}:", *parts]
        else:
            parts.append(f"Since {_time(state.began_at)}.")
        return "\n\n".join([*parts, THEN[event], self._where()])

    def _subject(self, headline: str) -> str:
        return f"[{urlsplit(self.base_url or '').hostname or PRODUCT}] {headline}"

    def _where(self) -> str:
        link = f"{self._admin()}\n\n" if self.base_url else ""
        return f"{link}-- \nSent by {PRODUCT} to the addresses in ALERT_EMAILS.\n"

    def _admin(self) -> str | None:
        return f"{self.base_url}/admin/" if self.base_url else None


def _paragraph(problem: Mapping[str, str | None]) -> str:
    cure = f" What to do: {problem['cure']}" if problem["cure"] else ""
    return f"{problem['sentence']}{cure}"


def _json(kind: str, now: int, data: Mapping[str, object]) -> str:
    """Return the body that Standard Webhooks recommends: type, timestamp, data."""
    return json.dumps({"type": kind, "timestamp": _iso(now), "data": data}, ensure_ascii=False)


def _iso(moment: int | None) -> str | None:
    return None if moment is None else f"{datetime.fromtimestamp(moment // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _time(moment: int | None) -> str:
    return f"{datetime.fromtimestamp((moment or 0) // 1000, UTC):%Y-%m-%d %H:%M} UTC"
