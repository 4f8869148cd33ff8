"""Pages of the database file are overwritten while people sign up and are delivered."""

import random
import time
from dataclasses import dataclass
from pathlib import Path

from tests.durability.crowd import Crowd
from tests.durability.figures import Figure, zero
from tests.durability.machines.clock import Clock
from tests.durability.machines.fleet import Fleet
from tests.durability.scenarios.refusals import DATABASE, overwrite
from tests.durability.verdict import Vendor, Verdict, judge, read_states

SCENARIO = "damage while delivering"
_PACE = 15
_REPEATS = 0.3
_READ_BACK_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """The verdict in the end, and how many deliveries were done when the pages were damaged."""

    verdict: Verdict
    pages: int
    done: int
    waiting: int


def run(folder: Path, *, seed: int, people: int, pages: int, speed: float = 4) -> Outcome:
    """Overwrite `pages` of the file when half of `people` have come, restart the web, deliver, and judge.

    All processes have a clock `speed` times as fast as the real one, see `kills`.
    """
    chance, clock = random.Random(seed), Clock(folder, speed=speed)
    fleet = Fleet(folder, workers=1, clock=clock, vendor_clock=clock, SUBSCRIBE_WAIT_SECONDS="0")
    file = folder / "data" / DATABASE
    with fleet.start(settings={"per_second": 1_000}):
        crowd = Crowd(fleet.bases, folder / "notes", seed, people, pace=_PACE, repeats=_REPEATS).start()
        while crowd.arrived < people // 2:
            time.sleep(0.01)
        states = list(read_states(fleet.store_url).values())
        # Pages after those of the small tables: without the tokens nothing would be delivered at all.
        overwritten = min(pages, overwrite(file, chance, pages=pages))
        crowd.join(180)
        fleet.webs[0].end()
        _wait_until_read_back(file)
        fleet.drained(60 + people / speed)
        vendor = Vendor.ask(fleet.deployment.sandbox_base)
    waiting = sum(state in {"ready", "sending"} for state in states)
    verdict = judge(folder / "notes", fleet.store_url, vendor)
    return Outcome(verdict, overwritten, len(states) - waiting, waiting)


def _wait_until_read_back(file: Path) -> None:
    end = time.monotonic() + _READ_BACK_SECONDS
    while not list(file.parent.glob(f"{file.name}.kept-*")) and time.monotonic() < end:
        time.sleep(0.1)


def figures(outcome: Outcome, *, seed: int) -> list[Figure]:
    """Return the figures for the table."""
    verdict = outcome.verdict
    counts = f"{seed}; {outcome.pages}; {outcome.done} and {outcome.waiting}"
    return [
        Figure(SCENARIO, "seed; pages overwritten; done and waiting then", counts),
        Figure(SCENARIO, "outcome", str(verdict)),
        zero(SCENARIO, "acknowledged sign-ups lost", len(verdict.lost)),
        zero(SCENARIO, "duplicate effects", len(verdict.duplicates)),
        zero(SCENARIO, "older wish after a newer one", len(verdict.disorder)),
        zero(SCENARIO, "still waiting, or parked", verdict.waiting + verdict.parked),
    ]
