"""Alerts while the database cannot be used: told at once, without the outbox, which is in the database.

Whom the processes of this machine have told stands in a file; several machines with one database each tell.
When the database is back, the file is taken over into the table of alerts, which then tells that it is over,
or that it was, if nobody could be told meanwhile.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from services.mail.channel import Channel, NotSent
from services.operations.alerts.decision import GAP_MS, REMINDER_MS, Event, within
from services.operations.alerts.kinds import STORE
from services.operations.alerts.words import Target, Words
from store.mail.alerts import AlertState, AlertStates, Decision, Seen
from store.mail.messages import Message
from store.recovery.outage_note import OutageNote

log = structlog.get_logger(__name__)

# Of a target that cannot be told.
AGAIN_MS = 5 * 60_000


@dataclass(frozen=True)
class OutageAlerts:
    """Tells each target of an outage, and the table of alerts afterwards what was told."""

    note: OutageNote
    channels: Mapping[str, Channel]
    targets: Sequence[Target]
    words: Words

    def lasts(self, seen: Seen, *, now: int) -> None:
        """Tell everybody who was not told within a day, once it has lasted; `now` is epoch ms."""
        with self.note.changing() as outage:
            if outage is None:
                return
            outage.setdefault("began_at", now)
            outage.setdefault("message_id", f"msg_{now:012x}{secrets.token_hex(10)}")
            outage.update(seen_at=now, problems=seen)
            if within(STORE.patience_ms, outage["began_at"], now) or within(
                GAP_MS, outage.get("told_at"), now
            ):
                return
            told, tried = outage.setdefault("told", {}), outage.setdefault("tried", {})
            for target in self.targets:
                name = _name(target)
                last = told.get(name)
                if not within(REMINDER_MS, last, now) and not within(AGAIN_MS, tried.get(name), now):
                    tried[name] = now
                    if self._tell(target, outage, last, now):
                        told[name] = now

    def over(self, states: AlertStates, *, now: int) -> None:
        """Take over what was told. Raises store.errors.StoreError, after which nothing is lost."""
        if not self.note.exists():
            return
        with self.note.changing() as outage:
            if outage and "began_at" in outage:
                states.change(STORE.name, lambda state: self._taken_over(state, outage, now), now=now)
            if outage:
                outage.clear()

    def remember(self, told_at: int | None, *, now: int) -> None:
        """Write down when the table last told something of this kind: an outage must not follow at once."""
        if within(GAP_MS, told_at, now):
            with self.note.changing() as outage:
                if outage is not None:
                    outage["told_at"] = told_at

    def _taken_over(self, state: AlertState, outage: dict[str, Any], now: int) -> Decision:
        began_at = outage["began_at"] if state.began_at is None else state.began_at
        seen = {"seen_at": outage["seen_at"], "problems": tuple(outage["problems"])}
        state = replace(state, began_at=began_at, **seen)
        told = outage.get("told", {})
        if not told:
            return state, ()
        rest = [target for target in self.targets if _name(target) not in told]
        new = [self.words.alert(target, STORE, Event.RAISED, state, now=now) for target in rest]
        return replace(state, told=True, told_at=max(told.values()), untold=0), new

    def _tell(self, target: Target, outage: dict[str, Any], last: int | None, now: int) -> bool:
        event = Event.RAISED if last is None else Event.REMINDER
        state = AlertState(
            STORE.name, outage["began_at"], outage["seen_at"], problems=tuple(outage["problems"])
        )
        new = self.words.alert(target, STORE, event, state, now=now)
        # The same id at each attempt, so that a receiver knows a repeat.
        message_id = f"{outage['message_id']}{last or 0:012x}"
        message = Message(
            **vars(new), id=0, message_id=message_id, created_at=outage["began_at"], attempts=1, fence=0
        )
        try:
            self.channels[target.channel].send(message, now=now)
        except NotSent as error:
            log.warning("outage_alert_not_sent", channel=target.channel, cause=str(error))
            return False
        log.warning("outage_alert_sent", channel=target.channel)
        return True


def _name(target: Target) -> str:
    return f"{target.channel}:{target.recipient}"
