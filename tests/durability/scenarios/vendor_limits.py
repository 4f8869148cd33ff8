"""Six senders share one quota: never too many calls, no idle time while sign-ups wait, no call wasted."""

import random
import time
from dataclasses import dataclass
from pathlib import Path

from tests.durability.crowd import Crowd
from tests.durability.figures import Figure, at_least, at_most, zero
from tests.durability.machines.fleet import Fleet
from tests.durability.verdict import Vendor, Verdict, judge
from tests.end_to_end.consent import connect

SCENARIO = "vendor's limits"
SENDERS = 6
_PER_SECOND = 4


@dataclass(frozen=True)
class Outcome:
    """What the sandbox recorded, in real time."""

    verdict: Verdict
    vendor: Vendor
    per_second: float
    latency: float
    kills: int


def run(
    folder: Path, *, seed: int, people: int, latency: float, kills: int = 0, database_url: str = ""
) -> Outcome:
    """Deliver a backlog from two web workers and four `flask worker`s; the vendor takes `latency` seconds.

    The clock is the real one, and the sandbox enforces both limits.
    """
    chance = random.Random(seed)
    fleet = Fleet(folder, workers=SENDERS - 2, database_url=database_url, SUBSCRIBE_WAIT_SECONDS="0")
    with fleet.start(connected=False):
        Crowd(fleet.bases, folder / "notes", seed, people, repeats=0).start().join(300)
        fleet.order({"delay": latency})
        connect(fleet.deployment)
        killed, end = 0, time.monotonic() + 120 + people / 2
        while time.monotonic() < end and not fleet.drained(chance.uniform(0.5, 2.0)):
            if killed < kills and fleet.kill_one(chance):
                killed += 1
        vendor = Vendor.ask(fleet.deployment.sandbox_base)
    verdict = judge(folder / "notes", fleet.store_url, vendor)
    times = [float(call["time"]) for call in vendor.sign_ups()]
    return Outcome(verdict, vendor, (len(times) - 1) / (times[-1] - times[0]), latency, killed)


def figures(outcome: Outcome, *, seed: int) -> list[Figure]:
    """Return the figures for the table."""
    verdict, vendor = outcome.verdict, outcome.vendor
    scenario = f"{SCENARIO}, {outcome.latency * 1000:.0f} ms" + (
        f", {outcome.kills} kills" if outcome.kills else ""
    )
    rows = [
        Figure(scenario, "seed; senders; outcome", f"{seed}; {SENDERS}; {verdict}"),
        at_most(scenario, "most calls in a sliding second", vendor.most_in_a_second(), _PER_SECOND),
        zero(scenario, "calls answered with 429", vendor.throttled()),
        zero(scenario, "acknowledged sign-ups lost", len(verdict.lost)),
        zero(scenario, "duplicate effects", len(verdict.duplicates)),
        zero(scenario, "still waiting, or parked", verdict.waiting + verdict.parked),
    ]
    per_sign_up = verdict.calls / max(verdict.rows, 1)
    if outcome.kills:
        return [
            *rows,
            at_most(scenario, "redundant calls (goal: the kills)", verdict.redundant, outcome.kills),
        ]
    return [
        *rows,
        at_least(scenario, "calls a second while sign-ups waited", round(outcome.per_second, 2), 3.6, "/s"),
        Figure(scenario, "calls for each new sign-up", f"{per_sign_up:.3f}", "1.000", per_sign_up == 1),
    ]
