"""PostgreSQL crashes repeatedly while people sign up, and once stays away for some seconds."""

import random
import time
from dataclasses import dataclass
from pathlib import Path

from tests.durability.crowd import Crowd
from tests.durability.figures import Figure, at_most, zero
from tests.durability.machines.clock import Clock
from tests.durability.machines.fleet import Fleet
from tests.durability.machines.postgresql import PostgreSQL
from tests.durability.verdict import Vendor, Verdict, judge

SCENARIO = "PostgreSQL crashed"
APPLICATION = "app:create_app()"
CARELESS = "tests.durability.careless:postgresql_asynchronous()"


@dataclass(frozen=True)
class Outcome:
    """The verdict after everything was delivered, and how many tries were refused or accepted meanwhile."""

    verdict: Verdict
    crashes: int
    refused: int
    accepted_while_away: int
    away_seconds: float


def run(
    folder: Path,
    *,
    seed: int,
    crashes: int,
    speed: float,
    pace: float = 40,
    away_seconds: float = 5,
    application: str = APPLICATION,
) -> Outcome:
    """Crash the server `crashes` times at random moments, the last time for `away_seconds`.

    All processes, also the server and the sandbox, share a clock that is `speed` times as fast as the real.
    """
    chance = random.Random(seed)
    clock = Clock(folder, speed=speed)
    with PostgreSQL(clock) as server:
        fleet = Fleet(
            folder, database_url=server.url, clock=clock, vendor_clock=clock, SUBSCRIBE_WAIT_SECONDS="0"
        )
        fleet.webs[0].command[-1] = application
        with fleet.start(settings={"per_second": 1_000}):
            crowd = Crowd(fleet.bases, folder / "notes", seed, people=1_000_000, pace=pace).start()
            for number in range(crashes):
                time.sleep(chance.uniform(0.3, 1.5))
                server.crash()
                thanked = len(crowd.seconds)
                time.sleep(away_seconds if number == crashes - 1 else chance.uniform(0, 0.3))
                accepted_while_away = len(crowd.seconds) - thanked
                server.start()
            time.sleep(1)
            crowd.people = crowd.arrived
            crowd.join(60)
            fleet.drained(60 + len(crowd.seconds) / speed)
            vendor = Vendor.ask(fleet.deployment.sandbox_base)
            fleet.leave_alone()
        verdict = judge(folder / "notes", fleet.store_url, vendor)
    return Outcome(verdict, crashes, crowd.refused, accepted_while_away, away_seconds)


def figures(outcome: Outcome, *, seed: int) -> list[Figure]:
    """Return the figures for the table."""
    verdict = outcome.verdict
    return [
        Figure(SCENARIO, "seed; crashes", f"{seed}; {outcome.crashes}"),
        Figure(SCENARIO, "outcome", str(verdict)),
        zero(SCENARIO, "acknowledged sign-ups lost", len(verdict.lost)),
        zero(SCENARIO, "duplicate effects", len(verdict.duplicates)),
        zero(SCENARIO, "still waiting, or parked", verdict.waiting + verdict.parked),
        zero(SCENARIO, "older wish after a newer one", len(verdict.disorder)),
        at_most(SCENARIO, "redundant calls (goal: the crashes)", verdict.redundant, outcome.crashes),
        Figure(
            SCENARIO,
            f"accepted while it was away for {outcome.away_seconds:g} s; tries refused in all",
            f"{outcome.accepted_while_away}; {outcome.refused}",
        ),
    ]


def figures_of_careless(outcome: Outcome, *, seed: int) -> list[Figure]:
    """Return the figure of the self-test: when the answer comes before the sync, crashes must show losses."""
    lost = len(outcome.verdict.lost)
    return [
        Figure(
            f"{SCENARIO}, synchronous_commit=off (self-test)",
            f"seed {seed}, {outcome.crashes} crashes: acknowledged sign-ups lost",
            f"{lost} of {outcome.verdict.thanked}",
            "> 0",
            lost > 0,
        )
    ]
