"""Random SIGKILLs of web workers, delivery workers and gunicorn masters while people sign up."""

import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.durability.crowd import Crowd
from tests.durability.figures import Figure, at_most, zero
from tests.durability.machines.clock import Clock
from tests.durability.machines.fleet import Fleet
from tests.durability.verdict import Vendor, Verdict, judge

SCENARIO = "kills"
_DAY = 86_400
_STALL_SECONDS = 120  # of the processes' clock: longer than a lease, longer than any pause but the night's
_PER_DAY = 10_000
_GAP = 0.6  # between two kills: what a process needs to come up again
_SLOW = {"delay": 0.3}  # enough for most kills to find a call under way
_CUT = {"drop": "before", "times": 1}


@dataclass(frozen=True)
class Outcome:
    """The verdict after everything was delivered, and what had been done to the processes."""

    verdict: Verdict
    vendor: Vendor
    killed: Counter[str]
    refused: int
    nights: int
    seconds: float


def run(folder: Path, *, seed: int, people: int, kills: int, speed: float, workers: int = 2) -> Outcome:
    """Let `people` sign up during `kills` kills, deliver the rest without kills, and judge.

    The processes and the sandbox share a clock that is `speed` times as fast as the real one, and the nights,
    when the day's calls are used up, are skipped. The machine's own delays seem `speed` times as long on such
    a clock, so the sandbox's limit for a second is lifted; `vendor_limits` measures that limit in real time.
    """
    chance, began = random.Random(seed), time.monotonic()
    clock = Clock(folder, speed=speed)
    fleet = Fleet(folder, workers=workers, clock=clock, vendor_clock=clock, SUBSCRIBE_WAIT_SECONDS="0")
    with fleet.start(settings={"per_second": 1_000}):
        fleet.order(_SLOW)
        # People come in the first half, so that there is something to deliver until the last kill.
        crowd = Crowd(fleet.bases, folder / "notes", seed, people, pace=2 * people / (kills * _GAP)).start()
        killed: Counter[str] = Counter()
        night = _Nights(fleet, clock)
        while killed.total() < kills:
            time.sleep(chance.uniform(0.1, 2 * _GAP - 0.1))
            kind = fleet.kill_one(chance)
            killed.update([kind] if kind else [])
            if kind and killed.total() % 4 == 1:
                # One call is lost before it arrives, perhaps that of the killed process.
                fleet.order(_CUT, _SLOW)
            night.skip_when_stalled()
        crowd.join(600)
        end = time.monotonic() + (people / 2 + 10 * _STALL_SECONDS) / speed
        while time.monotonic() < end and not fleet.drained(1):
            night.skip_when_stalled()
        vendor = Vendor.ask(fleet.deployment.sandbox_base)
    verdict = judge(folder / "notes", fleet.store_url, vendor)
    return Outcome(verdict, vendor, killed, crowd.refused, night.skipped, time.monotonic() - began)


class _Nights:
    """Sets the clock to the next midnight when deliveries stall because the day's calls are used up."""

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        self._fleet, self._clock = fleet, clock
        self._seen, self._since = (-1, -1), clock.now()
        self._looked = 0.0
        self.skipped = 0

    def skip_when_stalled(self) -> None:
        """Look, at most once a real second, and skip the night if nothing has moved."""
        if time.monotonic() - self._looked < 1:
            return
        self._looked, now = time.monotonic(), self._clock.now()
        state = self._fleet.calls_today(), self._fleet.pending()
        if state[1] <= 0 or state[0] != self._seen[0]:
            self._seen, self._since = state, now
        elif now - self._since > _STALL_SECONDS:
            self._clock.jump(_DAY - now % _DAY + 100)
            self.skipped += 1
            self._since = self._clock.now()


def figures(outcome: Outcome, *, seed: int) -> list[Figure]:
    """Return the figures for the table."""
    verdict, vendor = outcome.verdict, outcome.vendor
    kills = ", ".join(f"{count} {kind}s" for kind, count in sorted(outcome.killed.items()))
    return [
        Figure(SCENARIO, "seed; SIGKILLs", f"{seed}; {outcome.killed.total()} ({kills})"),
        Figure(SCENARIO, "outcome", str(verdict)),
        zero(SCENARIO, "acknowledged sign-ups lost", len(verdict.lost)),
        zero(SCENARIO, "duplicate effects", len(verdict.duplicates)),
        zero(SCENARIO, "still waiting, or parked", verdict.waiting + verdict.parked),
        zero(SCENARIO, "older wish after a newer one", len(verdict.disorder)),
        at_most(SCENARIO, "redundant calls (goal: the kills)", verdict.redundant, outcome.killed.total()),
        at_most(SCENARIO, "calls in any UTC day", vendor.most_in_a_day(), _PER_DAY),
        Figure(SCENARIO, "tries refused or cut, nights skipped", f"{outcome.refused}, {outcome.nights}"),
        Figure(SCENARIO, "took", f"{outcome.seconds:.0f} s"),
    ]
