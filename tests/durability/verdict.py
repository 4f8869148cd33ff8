"""Comparison of what the visitors were promised with what the database and the vendor have."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import create_engine, make_url, text

from store.engine.sqlite import driver
from tests.durability.machines.fleet import SIGN_UP

_ARRIVED = {"delivered", "merged"}
_KEPT = {"ready", "sending", "parked"}
_DAY = 86_400
_ROWS = (
    "SELECT deliveries.source_id, deliveries.state, signups.email, signups.person FROM deliveries"
    " JOIN signups ON signups.id = deliveries.source_id ORDER BY deliveries.id"
)


@dataclass
class Person:
    """The sign-ups of one address: those that were thanked for, and all that were tried."""

    thanked: dict[str, str] = field(default_factory=dict)  # id → name
    asked: list[str] = field(default_factory=list)
    lists_thanked: set[str] = field(default_factory=set)
    lists_asked: set[str] = field(default_factory=set)

    def last_names(self, stored: Sequence[str]) -> set[str]:
        """Return the name in the last thanked sign-up, and those `stored` after it without a thanks.

        A try whose answer was lost may have been stored all the same, at any later time.
        """
        last = list(self.thanked.values())[-1]
        place = stored.index(last) if last in stored else 0
        return {last} | (set(stored[place:]) - set(self.thanked.values()))


@dataclass(frozen=True)
class Vendor:
    """The contacts and the calls that the sandbox itself has recorded."""

    contacts: Mapping[str, Sequence[Mapping[str, Any]]]
    calls: Sequence[Mapping[str, Any]]

    @classmethod
    def ask(cls, base: str) -> "Vendor":
        """Read state and calls of the sandbox at `base`."""
        state = requests.get(f"{base}/_sandbox/state", timeout=120).json()
        calls = requests.get(f"{base}/_sandbox/requests", timeout=120).json()["requests"]
        contacts = defaultdict(list)
        for contact in state["contacts"]:
            contacts[str(contact["email_address"]).lower()].append(contact)
        return cls(contacts, calls)

    def sign_ups(self) -> list[Mapping[str, Any]]:
        """Return the sign-up calls but those of injected faults, oldest first, throttled ones included."""
        return [call for call in self.calls if call["path"] == SIGN_UP and not _has_fault(call)]

    def most_in_a_second(self) -> int:
        """Return the most API calls within any sliding second, refused ones included."""
        times = sorted(float(call["time"]) for call in self.calls if call["path"].startswith("/v3/"))
        most = first = 0
        for place, time in enumerate(times):
            while times[first] <= time - 1:
                first += 1
            most = max(most, place - first + 1)
        return most

    def most_in_a_day(self) -> int:
        """Return the most API calls within any UTC day, refused ones included."""
        days = Counter(int(call["time"] // _DAY) for call in self.calls if call["path"].startswith("/v3/"))
        return max(days.values(), default=0)

    def throttled(self) -> int:
        """Return how many calls were answered with 429."""
        return sum(call["status"] == 429 for call in self.calls)


def _has_fault(call: Mapping[str, Any]) -> bool:
    return not {"drop", "status"}.isdisjoint(call["fault"] or {})


@dataclass(frozen=True)
class Verdict:
    """The counts that docs/durability.md defines."""

    thanked: int
    rows: int
    delivered: int
    merged: int
    waiting: int
    parked: int
    calls: int
    lost: list[str]
    duplicates: list[str]
    disorder: list[str]

    @property
    def redundant(self) -> int:
        """Sign-up calls beyond one for each delivery that went out."""
        return self.calls - self.delivered

    def __str__(self) -> str:
        return (
            f"{self.thanked} thanked, {self.rows} rows: {self.delivered} delivered, {self.merged} merged, "
            f"{self.waiting} waiting, {self.parked} parked; {self.calls} calls, {self.redundant} redundant; "
            f"{len(self.lost)} lost, {len(self.duplicates)} duplicate effects, "
            f"{len(self.disorder)} out of order"
        )


def read_notes(notes: Path) -> dict[str, Person]:
    """Return the visitors' notes, by address."""
    people: dict[str, Person] = defaultdict(Person)
    for line in notes.read_text().splitlines():
        note = json.loads(line)
        person = people[note["email"]]
        if "asked" in note:
            person.asked.append(note["asked"])
            person.lists_asked |= set(note["lists"])
        else:
            person.thanked[note["id"]] = note["thanked"]
            person.lists_thanked |= set(note["lists"])
    return people


@dataclass(frozen=True)
class Row:
    """A stored sign-up: its delivery's state, and its first name."""

    signup_id: str
    state: str
    email: str
    name: str


def read_rows(store_url: str) -> list[Row]:
    """Return every stored sign-up in the order of its delivery, read directly from the database."""
    url = make_url(store_url)
    sqlite = url.get_backend_name() == "sqlite"
    engine = (
        create_engine(url, module=driver)
        if sqlite
        else create_engine(url.set(drivername="postgresql+psycopg"))
    )
    try:
        with engine.connect() as connection:
            rows = connection.execute(text(_ROWS)).all()
    finally:
        engine.dispose()
    return [
        Row(key, state, email, json.loads(person).get("first_name", "")) for key, state, email, person in rows
    ]


def read_states(store_url: str) -> dict[str, str]:
    """Return each stored sign-up's state."""
    return {row.signup_id: row.state for row in read_rows(store_url)}


def judge(notes: Path, store_url: str, vendor: Vendor) -> Verdict:
    """Compare notes, database and vendor; no call may be under way."""
    people, rows = read_notes(notes), read_rows(store_url)
    states = {row.signup_id: row.state for row in rows}
    counts = Counter(states.values())
    return Verdict(
        thanked=sum(len(person.thanked) for person in people.values()),
        rows=len(states),
        delivered=counts["delivered"],
        merged=counts["merged"],
        waiting=counts["ready"] + counts["sending"],
        parked=counts["parked"],
        calls=len(vendor.sign_ups()),
        lost=list(_lost(people, states, vendor)),
        duplicates=list(_duplicates(people, rows, vendor)),
        disorder=list(_disorder(people, vendor)),
    )


def _lost(people: Mapping[str, Person], states: Mapping[str, str], vendor: Vendor) -> Iterable[str]:
    for email, person in people.items():
        on_lists = {
            item for contact in vendor.contacts.get(email, []) for item in contact["list_memberships"]
        }
        for signup_id in person.thanked:
            state = states.get(signup_id, "no row")
            if state in _KEPT:
                continue
            if state not in _ARRIVED or email not in vendor.contacts:
                yield f"{signup_id}: {state}, {'a' if email in vendor.contacts else 'no'} contact"
        if person.thanked and all(states.get(key) in _ARRIVED for key in person.thanked):
            missing = person.lists_thanked - on_lists
            if missing and email in vendor.contacts:
                yield f"{email}: not on {', '.join(sorted(missing))}"


def _duplicates(people: Mapping[str, Person], rows: Iterable[Row], vendor: Vendor) -> Iterable[str]:
    created = Counter(
        call["body"]["email_address"]
        for call in vendor.sign_ups()
        if isinstance(call["answer"], dict) and call["answer"].get("action") == "created"
    )
    stored: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        stored[row.email].append(row)
    for email, person in people.items():
        contacts = vendor.contacts.get(email, [])
        if len(contacts) > 1 or created[email] > 1:
            yield f"{email}: created {max(len(contacts), created[email])} times"
        settled = person.thanked and all(row.state in _ARRIVED for row in stored[email])
        names = person.last_names([row.name for row in stored[email]]) if settled else set[str]()
        for contact in contacts:
            memberships = contact["list_memberships"]
            if len(memberships) != len(set(memberships)) or not set(memberships) <= person.lists_asked:
                yield f"{email}: lists {memberships}"
            if names and contact["first_name"] not in names:
                yield f"{email}: {contact['first_name']} instead of {sorted(names)}"


def _disorder(people: Mapping[str, Person], vendor: Vendor) -> Iterable[str]:
    """Yield calls that carry an older sign-up than an earlier call of that person, both thanked for."""
    newest: dict[str, int] = {}
    for call in vendor.sign_ups():
        email, name = call["body"]["email_address"], call["body"].get("first_name")
        thanked = list(people[email].thanked.values()) if email in people else []
        if name not in thanked:
            continue
        place = thanked.index(name)
        if place < newest.get(email, 0):
            yield f"{email}: {name} after {thanked[newest[email]]}"
        newest[email] = max(place, newest.get(email, 0))
