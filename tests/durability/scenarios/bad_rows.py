"""Sign-ups that the vendor refuses, older than good ones: how long the good ones wait."""

import time
from dataclasses import dataclass
from pathlib import Path

from sandbox import PRESET_LIST_ID
from store.engine.database import Database
from store.signups.accept import Signups
from tests.durability.figures import Figure, at_least, at_most, zero
from tests.durability.machines.fleet import Fleet
from tests.durability.verdict import Vendor
from tests.end_to_end.consent import connect
from tests.support.signups import bare_signup

SCENARIO = "bad sign-ups in front"
FIRST_WITHIN_SECONDS = 30
PER_SECOND = 3.5
_NO_LIST = "99999999-9999-4999-8999-999999999999"
# Three kinds that the sandbox refuses as the vendor's contract says: a list and a custom field that the
# account does not have, and a date that is none.
KINDS: tuple[dict[str, object], ...] = (
    {"list_memberships": [_NO_LIST]},
    {"custom_fields": {"No such field": "x"}},
    {"anniversary": "sometime"},
)


@dataclass(frozen=True)
class Outcome:
    """Counts, seconds from connecting to the first good one, and good ones a second from then on."""

    bad: int
    good: int
    first: float
    per_second: float
    delivered: int
    parked: int
    refused: int


def run(folder: Path, *, bad: int, good: int, database_url: str = "") -> Outcome:
    """Store `bad` ones of three kinds, mixed, and `good` ones behind; then let two web workers deliver."""
    fleet = Fleet(folder, database_url=database_url, SUBSCRIBE_WAIT_SECONDS="0")
    with fleet.start(connected=False):
        database = Database(fleet.store_url)
        signups = Signups(database)
        now = int(time.time() * 1000)
        for number in range(bad):
            _store(signups, f"bad{number}", now, KINDS[number % len(KINDS)])
        for number in range(good):
            _store(signups, f"good{number}", now, {})
        began = time.time()
        connect(fleet.deployment)
        fleet.drained(60 + 2 * good / PER_SECOND)
        vendor = Vendor.ask(fleet.deployment.sandbox_base)
        with database.reading() as connection:
            parked = connection.exec_driver_sql("SELECT count(*) FROM deliveries WHERE state = 'parked'")
            counted = int(parked.scalar_one())
        database.close()
    taken = [float(call["time"]) for call in vendor.sign_ups() if call["status"] < 300]
    refused = sum(call["status"] >= 400 for call in vendor.sign_ups())
    rate = (len(taken) - 1) / (taken[-1] - taken[0])
    return Outcome(bad, good, taken[0] - began, rate, len(taken), counted, refused)


def _store(signups: Signups, name: str, now: int, changes: dict[str, object]) -> None:
    email = f"{name}@example.org"
    wish = {"email_address": email, "list_memberships": [PRESET_LIST_ID], **changes}
    signup = bare_signup(name, email, at=now, lists=(PRESET_LIST_ID,))
    signups.accept(signup, kind="sign_up", payload=wish)


def figures(outcome: Outcome) -> list[Figure]:
    """Return the figures for the table."""
    scenario = f"{SCENARIO}: {outcome.bad:,} of three kinds, {outcome.good} good"
    return [
        at_most(scenario, "first good one", round(outcome.first, 1), FIRST_WITHIN_SECONDS, " s"),
        at_least(scenario, "good ones a second", round(outcome.per_second, 2), PER_SECOND),
        zero(scenario, "good ones not delivered", outcome.good - outcome.delivered),
        zero(scenario, "bad ones not put aside", outcome.bad - outcome.parked),
        Figure(scenario, "refused calls", str(outcome.refused)),
    ]
