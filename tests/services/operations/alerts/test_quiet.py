"""Sign-ups that stay away are noticed, by what is usual at that hour of that weekday."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import insert

from services.operations.alerts.quiet import HOUR_MS, LOOK_MS, WEEK_MS, QuietWatch
from services.problems import Level, Problem
from store.engine.database import Database
from store.schema.signups import signups
from store.signups.arrivals import Arrivals
from tests.services.conftest import Clock

DAY_MS = 24 * HOUR_MS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def arrive(each_database: Database) -> Callable[[int, int, int], None]:
    """So many come, evenly from one moment to another."""

    def arrive(count: int, since: int, before: int) -> None:
        rows = [
            {
                **dict.fromkeys(("contact_key", "email"), "ada@example.org"),
                "id": str(uuid4()),
                "person": "{}",
                "list_ids": "[]",
                "asked_by": "form",
                "received_at": since + (before - since) * index // count,
            }
            for index in range(count)
        ]
        with each_database.transaction() as connection:
            connection.execute(insert(signups), rows)

    return arrive


@pytest.fixture
def look(each_database: Database, clock: Clock) -> Callable[[], Problem]:
    """What a process finds that has not looked before."""

    def look() -> Problem:
        (found,) = QuietWatch(Arrivals(each_database), clock).problems()
        return found

    return look


Arrive = Callable[[int, int, int], None]
Look = Callable[[], Problem]


def test_nothing_is_said_in_the_first_two_weeks(arrive: Arrive, look: Look, clock: Clock) -> None:
    """But that nothing can be said, and from when on."""
    assert look().sentence == "Whether fewer people sign up than usual is known after two weeks of sign-ups."
    arrive(60, clock.now - 13 * DAY_MS, clock.now - 12 * DAY_MS)
    found = look()
    assert (found.code, found.level) == ("quiet_unknown", Level.OK)
    assert found.sentence.endswith("two weeks of sign-ups, from 2026-09-22.")


def test_a_busy_hour_without_anybody_is_told(arrive: Arrive, look: Look, clock: Clock) -> None:
    """It is over when people come again."""
    now = clock.now
    arrive(1, now - 3 * WEEK_MS, now - 3 * WEEK_MS + 1)
    for week in (1, 2):
        arrive(20, now - week * WEEK_MS - HOUR_MS, now - week * WEEK_MS)
    found = look()
    assert (found.code, found.level, found.public) == ("signups_quiet", Level.WARNING, False)
    assert found.sentence == (
        "Nobody has signed up in the last hour. In the same hours of earlier weeks it was 20."
    )
    arrive(2, now - HOUR_MS, now)
    assert look().sentence.startswith("2 people have")
    arrive(1, now - HOUR_MS, now)
    assert look().code == "well"


def test_the_quietest_week_counts(arrive: Arrive, look: Look, clock: Clock) -> None:
    """A campaign of last week proves nothing about today."""
    now = clock.now
    arrive(1, now - 4 * WEEK_MS, now - 4 * WEEK_MS + 1)
    arrive(200, now - WEEK_MS - HOUR_MS, now - WEEK_MS)
    arrive(5, now - 2 * WEEK_MS - HOUR_MS, now - 2 * WEEK_MS)
    assert look().code == "quiet_unknown"


def test_a_small_site_is_compared_by_longer_spans(arrive: Arrive, look: Look, clock: Clock) -> None:
    """Two a day are too few to miss within the hour, and are missed within days."""
    now = clock.now
    arrive(56, now - 4 * WEEK_MS, now)
    assert look().code == "quiet_unknown"
    arrive(112, now - 4 * WEEK_MS, now)
    assert look().code == "well"
    clock.now += 2 * DAY_MS
    assert look().code == "well"
    clock.now += DAY_MS + HOUR_MS
    assert look().sentence.startswith("Nobody has signed up in the last 72 hours.")


def test_nights_and_weekends_are_no_silence(arrive: Arrive, look: Look, clock: Clock) -> None:
    """At hours when nobody ever comes, nobody is missed."""
    now = clock.now
    # Three weeks, with forty each day between 18 and 6 hours before this time of day.
    for day in range(1, 22):
        arrive(40, now - day * DAY_MS + 6 * HOUR_MS, now - day * DAY_MS + 18 * HOUR_MS)
    assert look().code == "well"
    clock.now += 5 * HOUR_MS
    assert look().code == "well"


def test_what_was_found_is_repeated_for_five_minutes(
    each_database: Database, arrive: Arrive, clock: Clock
) -> None:
    """Counting costs something, and silence needs no haste."""
    now = clock.now
    arrive(1, now - 3 * WEEK_MS, now - 3 * WEEK_MS + 1)
    for week in (1, 2):
        arrive(20, now - week * WEEK_MS - HOUR_MS, now - week * WEEK_MS)
    watch = QuietWatch(Arrivals(each_database), clock)
    assert watch.problems()[0].code == "signups_quiet"
    arrive(20, now - HOUR_MS, now)
    clock.now += LOOK_MS - 1
    assert watch.problems()[0].code == "signups_quiet"
    clock.now += 1
    assert watch.problems()[0].code == "well"
