"""Two instances on one PostgreSQL, one of them frozen; and clocks that are set forward and back."""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.durability.crowd import Crowd
from tests.durability.figures import Figure, at_most, zero
from tests.durability.machines.clock import Clock
from tests.durability.machines.fleet import Fleet
from tests.durability.machines.postgresql import PostgreSQL
from tests.durability.verdict import Vendor, Verdict, judge

FROZEN = "one of two instances frozen"
JUMPS = "clocks set"
HOUR, DAY = 3_600, 86_400
_LONGEST_STALL = 90
_LATENCY = 1.0


@dataclass(frozen=True)
class Outcome:
    """The verdict, and the longest time without a call while sign-ups waited (vendor's seconds)."""

    verdict: Verdict
    vendor: Vendor
    stall: float
    speed: float
    what: str


def freeze(folder: Path, *, seed: int, people: int, seconds: float, speed: float = 1.0) -> Outcome:
    """Freeze every process of one instance for `seconds` with calls under way, then let it go on.

    All processes, the database server too, have a clock `speed` times as fast as the real one.
    """
    clock = Clock(folder, speed=speed)
    with PostgreSQL(clock) as server:
        fleet = Fleet(
            folder,
            instances=2,
            database_url=server.url,
            clock=clock,
            vendor_clock=clock,
            SUBSCRIBE_WAIT_SECONDS="0",
        )
        with fleet.start(settings=_settings(speed)):
            fleet.order({"delay": _LATENCY})
            crowd = Crowd(fleet.bases, folder / "notes", seed, people, pace=4 * speed).start()
            time.sleep(10 / speed)
            fleet.webs[0].signal_all(signal.SIGSTOP)
            time.sleep(seconds / speed)
            fleet.webs[0].signal_all(signal.SIGCONT)
            outcome = _finish(fleet, crowd, folder, clock)
    verdict, vendor, stall = outcome
    return Outcome(verdict, vendor, stall, speed, f"{seconds:g} s")


def jump(
    folder: Path, *, seed: int, people: int, jumps: Sequence[float], every: float, speed: float = 1.0
) -> Outcome:
    """Set the clock of all processes but the sandbox by each of `jumps` seconds in turn."""
    ours_folder = folder / "clock"
    ours_folder.mkdir()
    ours, vendors = Clock(ours_folder, speed=speed), Clock(folder, speed=speed)
    fleet = Fleet(folder, workers=1, clock=ours, vendor_clock=vendors, SUBSCRIBE_WAIT_SECONDS="0")
    with fleet.start(settings=_settings(speed)):
        pace = people / (every * (len(jumps) + 1)) * speed
        crowd = Crowd(fleet.bases, folder / "notes", seed, people, pace=pace).start()
        for seconds in jumps:
            time.sleep(every / speed)
            ours.jump(seconds)
        verdict, vendor, stall = _finish(fleet, crowd, folder, vendors)
    return Outcome(verdict, vendor, stall, speed, ", ".join(f"{seconds / HOUR:+g} h" for seconds in jumps))


def _settings(speed: float) -> dict[str, int] | None:
    """Return the sandbox's settings: on a fast clock delays look longer, so its limit a second is lifted."""
    return {"per_second": 1_000} if speed > 1 else None


def _finish(fleet: Fleet, crowd: Crowd, folder: Path, clock: Clock) -> tuple[Verdict, Vendor, float]:
    """Wait for the last delivery, at most three times the longest allowed stall, and judge."""
    crowd.join(300)
    end = clock.now() + 3 * _LONGEST_STALL + crowd.people / 3
    while fleet.pending() != 0 and clock.now() < end:
        time.sleep(0.2)
    finished = clock.now()
    vendor = Vendor.ask(fleet.deployment.sandbox_base)
    verdict = judge(folder / "notes", fleet.store_url, vendor)
    times = [float(call["time"]) for call in vendor.sign_ups()] + ([finished] if verdict.waiting else [])
    stall = max((later - earlier for earlier, later in pairwise(times)), default=0.0)
    return verdict, vendor, stall


def figures(outcome: Outcome, *, scenario: str, seed: int, redundant: int) -> list[Figure]:
    """Return the figures for the table; `redundant` calls are allowed, those that were under way."""
    verdict = outcome.verdict
    scenario = f"{scenario} ({outcome.what})"
    rows = [
        Figure(scenario, "seed; outcome", f"{seed}; {verdict}"),
        zero(scenario, "acknowledged sign-ups lost", len(verdict.lost)),
        zero(scenario, "duplicate effects", len(verdict.duplicates)),
        zero(scenario, "older wish after a newer one", len(verdict.disorder)),
        zero(scenario, "still waiting at the end", verdict.waiting),
        at_most(scenario, "redundant calls", verdict.redundant, redundant),
        at_most(scenario, "longest time without a call", round(outcome.stall, 1), _LONGEST_STALL, " s"),
    ]
    if outcome.speed == 1:
        rows.append(at_most(scenario, "most calls in a sliding second", outcome.vendor.most_in_a_second(), 4))
    return rows
