"""`judge` finds each kind of harm, else the durability tests would prove nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from store.engine.database import Database
from store.outbox.deliveries import Deliveries
from store.signups.accept import NewSignup, Signups
from tests.durability.machines.fleet import LISTS, SIGN_UP
from tests.durability.verdict import Vendor, Verdict, judge

ANN = "ann@example.org"
NOW = 1_800_000_000_000
Harm = Callable[["Case"], None]


class Case:
    """Ann was thanked twice, first for one list, then for another; both arrived."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'app.db'}"
        self.notes = [
            {"asked": "v0", "email": ANN, "lists": [LISTS[0]]},
            {"thanked": "v0", "email": ANN, "lists": [LISTS[0]], "id": "s0"},
            {"asked": "v1", "email": ANN, "lists": [LISTS[1]]},
            {"thanked": "v1", "email": ANN, "lists": [LISTS[1]], "id": "s1"},
        ]
        self.stored = ["s0", "s1"]
        self.contacts: list[dict[str, Any]] = [{"first_name": "v1", "list_memberships": list(LISTS[:2])}]
        self.calls = [self.call("v0", "created", 0.0), self.call("v1", "updated", 0.3)]
        self._folder = folder

    @staticmethod
    def call(name: str, action: str, time: float) -> dict[str, Any]:
        body = {"email_address": ANN, "first_name": name}
        return {
            "path": SIGN_UP,
            "time": time,
            "body": body,
            "status": 200,
            "answer": {"action": action},
            "fault": None,
        }

    def vendor(self) -> Vendor:
        return Vendor({ANN: self.contacts} if self.contacts else {}, self.calls)

    def verdict(self) -> Verdict:
        notes = self._folder / "notes"
        notes.write_text("".join(json.dumps(note) + "\n" for note in self.notes))
        database = Database(self.url)
        for signup_id in self.stored:
            deliver(database, signup_id, signup_id.replace("s", "v"))
        database.close()
        return judge(notes, self.url, self.vendor())


def deliver(database: Database, signup_id: str, name: str) -> None:
    signup = NewSignup(
        id=signup_id,
        received_at=NOW,
        contact_key=ANN,
        email=ANN,
        person={"first_name": name},
        list_ids=(),
        source=None,
        consent=None,
        page=None,
        network_address=None,
        user_agent=None,
        asked_by="form",
    )
    Signups(database).accept(signup, kind="sign_up", payload={})
    claimed = Deliveries(database).claim(NOW)
    Deliveries(database).delivered(claimed, now=NOW, contact_id="c", action="created")  # type: ignore[arg-type]


def test_where_no_harm_was_done_none_is_seen(tmp_path: Path) -> None:
    """Two sign-ups of one person, two calls, one contact: nothing to report."""
    verdict = Case(tmp_path).verdict()
    assert (verdict.lost, verdict.duplicates, verdict.disorder, verdict.redundant) == ([], [], [], 0)


@pytest.mark.parametrize(
    ("harm", "seen"),
    [
        (lambda case: case.stored.remove("s1"), "lost"),
        (lambda case: case.contacts.clear(), "lost"),
        (lambda case: case.contacts[0]["list_memberships"].remove(LISTS[0]), "lost"),
        (lambda case: case.contacts.append(case.contacts[0]), "duplicates"),
        (lambda case: case.calls.append(case.call("v1", "created", 0.6)), "duplicates"),
        (lambda case: case.contacts[0]["list_memberships"].append(LISTS[0]), "duplicates"),
        (lambda case: case.contacts[0]["list_memberships"].append(LISTS[2]), "duplicates"),
        (lambda case: case.contacts[0].update(first_name="v0"), "duplicates"),
        (lambda case: case.calls.reverse(), "disorder"),
    ],
    ids=["no row", "no contact", "off a list", "second contact", "second creation", "twice on a list",
         "on a list unasked", "older name", "older wish last"],
)  # fmt: skip
def test_each_kind_of_harm_is_seen(tmp_path: Path, harm: Harm, seen: str) -> None:
    """Whatever goes wrong is counted where docs/durability.md says."""
    case = Case(tmp_path)
    harm(case)
    verdict = case.verdict()
    assert getattr(verdict, seen)


def test_an_abandoned_try_that_is_heard_late_is_no_harm(tmp_path: Path) -> None:
    """Nobody was told of it, so it may be the last word, but only if it was stored last."""
    case = Case(tmp_path)
    case.notes.insert(2, {"asked": "v2", "email": ANN, "lists": [LISTS[0]]})
    case.stored.append("s2")
    case.contacts[0]["first_name"] = "v2"
    assert case.verdict().duplicates == []


def test_an_abandoned_try_that_was_stored_early_must_not_win(tmp_path: Path) -> None:
    """It came before the last thanks, so the last thanks counts."""
    case = Case(tmp_path)
    case.notes.insert(2, {"asked": "v2", "email": ANN, "lists": [LISTS[0]]})
    case.stored.insert(1, "s2")
    case.contacts[0]["first_name"] = "v2"
    assert case.verdict().duplicates


def test_a_call_too_many_is_counted(tmp_path: Path) -> None:
    """A repeated call is redundant, though it did no harm."""
    case = Case(tmp_path)
    case.calls.append(case.call("v1", "updated", 0.6))
    verdict = case.verdict()
    assert (verdict.redundant, verdict.duplicates) == (1, [])


def test_the_fifth_call_in_a_sliding_second_is_seen() -> None:
    """Over the turn of a second too; exactly one second later is allowed."""
    near = [Case.call("v", "updated", time) for time in (0.7, 0.8, 0.9, 1.0, 1.69)]
    far = [Case.call("v", "updated", time) for time in (0.7, 0.8, 0.9, 1.0, 1.7)]
    assert Vendor({}, near).most_in_a_second() == 5
    assert Vendor({}, far).most_in_a_second() == 4
