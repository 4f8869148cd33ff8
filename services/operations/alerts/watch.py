"""Looks at everything once a minute, and tells what has changed: the way from a problem to a message."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from services.mail.channel import Channel, NotSent
from services.operations.alerts.decision import next_state
from services.operations.alerts.kinds import KINDS, STORE, AlertKind, by_kind
from services.operations.alerts.outage import OutageAlerts
from services.operations.alerts.words import Target, Words
from services.operations.health import HealthReport
from services.problems import Problem
from store.engine.clock import Clock
from store.mail.alerts import AlertState, AlertStates, Decision, Seen
from store.mail.messages import Message

log = structlog.get_logger(__name__)

TEST_ID = "msg_test"


@dataclass(frozen=True)
class Alerts:
    """Tells `targets` of problems, once however many processes see them.

    `report` says how the service is, and answers whatever hangs. `further` are what health does not say;
    each may raise StoreError.
    """

    report: Callable[[], HealthReport]
    further: Sequence[Callable[[], Iterable[Problem]]]
    states: AlertStates
    targets: Sequence[Target]
    channels: Mapping[str, Channel]
    words: Words
    outage: OutageAlerts
    clock: Clock

    def look(self) -> None:
        """Look at everything, and put messages into the outbox. Raises store.errors.StoreError."""
        if not self.targets:
            return
        report, now = self.report(), self.clock()
        if not report.read:
            found = by_kind(report.problems)[STORE.name]
            if found:
                self.outage.lasts(found, now=now)
            return
        self.outage.over(self.states, now=now)
        problems = [*report.problems, *(problem for more in self.further for problem in more())]
        before, found_by_kind = self.states.read(), by_kind(problems)
        for kind in KINDS:
            state = before.get(kind.name, AlertState(kind.name))
            state = self._judge(kind, state, found_by_kind[kind.name], now)
            if kind is STORE:
                self.outage.remember(state.told_at, now=now)

    def test(self, target: Target) -> str | None:
        """Send a test at once, past the outbox; return why it failed, None when it was taken."""
        now = self.clock()
        new = self.words.test(target, now=now)
        message = Message(
            **vars(new), id=0, message_id=f"{TEST_ID}_{now:012x}", created_at=now, attempts=1, fence=0
        )
        try:
            self.channels[target.channel].send(message, now=now)
        except NotSent as error:
            return str(error)
        return None

    def _judge(self, kind: AlertKind, before: AlertState, seen: Seen, now: int) -> AlertState:
        def decide(state: AlertState) -> Decision:
            state, event = next_state(state, seen, now=now, patience_ms=kind.patience_ms)
            if event is None:
                return state, ()
            log.warning("alert", kind=kind.name, says=event.value, codes=[str(each["code"]) for each in seen])
            return state, [self.words.alert(target, kind, event, state, now=now) for target in self.targets]

        # Most looks change nothing, and need no write transaction.
        if next_state(before, seen, now=now, patience_ms=kind.patience_ms)[0] == before:
            return before
        return self.states.change(kind.name, decide, now=now)
