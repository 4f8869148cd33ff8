"""A thousand sign-ups within ten seconds, while the vendor answers, hangs or is down."""

import signal
from dataclasses import dataclass
from pathlib import Path

from tests.durability.crowd import Crowd
from tests.durability.figures import Figure, at_most, zero
from tests.durability.machines.fleet import Fleet
from tests.durability.verdict import read_notes, read_states

SCENARIO = "burst"
VENDORS = ("answers", "hangs", "is down")
_CONNECTIONS = 64


@dataclass(frozen=True)
class Outcome:
    """How the visitors were served; times in milliseconds."""

    vendor: str
    thanked: int
    refused: int
    without_row: int
    p50: float
    p99: float
    worst: float


def run(
    folder: Path, *, seed: int, people: int, seconds: float, vendor: str, database_url: str = ""
) -> Outcome:
    """Let `people` come evenly within `seconds`, over 64 connections, to a deployment as delivered."""
    fleet = Fleet(folder, database_url=database_url)
    with fleet.start():
        if vendor == "hangs":
            fleet.order({"delay": 60})
        if vendor == "is down":
            fleet.deployment.sandbox.stop(signal.SIGKILL)
        crowd = Crowd(
            fleet.bases,
            folder / "notes",
            seed,
            people,
            threads=_CONNECTIONS,
            pace=people / seconds,
            repeats=0,
        ).start()
        crowd.join(120)
        states = read_states(fleet.store_url)
    thanked = {key for person in read_notes(folder / "notes").values() for key in person.thanked}
    times = sorted(took * 1000 for took in crowd.seconds)
    return Outcome(
        vendor,
        len(thanked),
        crowd.refused,
        len(thanked - set(states)),
        times[len(times) // 2],
        times[len(times) * 99 // 100],
        times[-1],
    )


def figures(outcome: Outcome, *, seed: int) -> list[Figure]:
    """Return the figures for the table."""
    scenario = f"{SCENARIO}, the vendor {outcome.vendor}"
    return [
        Figure(scenario, "seed; accepted; tries refused", f"{seed}; {outcome.thanked}; {outcome.refused}"),
        zero(scenario, "accepted without a row", outcome.without_row),
        at_most(scenario, "answer time, p99", round(outcome.p99, 1), 20, " ms"),
        Figure(scenario, "answer time, p50 and worst", f"{outcome.p50:.1f} and {outcome.worst:.1f} ms"),
    ]
