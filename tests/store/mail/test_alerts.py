"""How alerts stand, for all processes: who changes a state stores its messages, once."""

from dataclasses import replace

import pytest

from store.engine.database import Database
from store.errors import RowRefused
from store.mail.alerts import AlertState, AlertStates, Decision
from store.mail.messages import Messages, NewMessage
from tests.store.conftest import in_threads

MESSAGE = NewMessage("email", "ada@example.org", "subject", "body")
SEEN = ({"code": "backlog_old", "sentence": "Über eine Stunde.", "cure": None},)


def test_a_state_comes_back_as_it_was_stored(database: Database) -> None:
    """With its problems; a kind of which nothing was seen is not there."""
    states = AlertStates(database)
    assert states.read() == {}
    wanted = AlertState("waiting", 5, 6, told=True, told_at=7, untold=2, problems=SEEN)
    seen: list[AlertState] = []

    def decide(state: AlertState) -> Decision:
        seen.append(state)
        return wanted, ()

    assert states.change("waiting", decide, now=7) == wanted
    assert states.change("waiting", decide, now=8) == wanted
    assert seen == [AlertState("waiting"), wanted]
    assert states.read() == {"waiting": wanted}


def test_several_that_see_the_same_store_one_message(database: Database) -> None:
    """The row is locked while it is decided on, also the first time."""
    states, outbox = AlertStates(database), Messages(database)

    def decide(state: AlertState) -> Decision:
        return replace(state, told=True), () if state.told else (MESSAGE,)

    in_threads(8, lambda _: states.change("waiting", decide, now=1))
    found = 0
    while (message := outbox.claim(1)) is not None:
        found += 1
        outbox.sent(message, now=1)
    assert found == 1


def test_a_decision_that_fails_changes_nothing(database: Database) -> None:
    """Neither state nor message: the next look decides again."""
    states, outbox = AlertStates(database), Messages(database)
    broken = NewMessage("email", None, "subject", "body")  # type: ignore[arg-type]
    with pytest.raises(RowRefused):
        states.change("waiting", lambda state: (replace(state, told=True), [MESSAGE, broken]), now=1)
    assert outbox.claim(1) is None
    assert states.read() == {}
