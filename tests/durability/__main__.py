"""Run the proof and print one table; see docs/durability.md for what each figure means.

`python -m tests.durability` runs everything (over an hour on two cores); with `kills burst --seed 7 --scale
0.1` two scenarios, a tenth as long.
"""

import argparse
import platform
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import gunicorn

from store.engine.sqlite import driver
from tests.durability.figures import Figure, table
from tests.durability.machines.postgresql import PostgreSQL
from tests.durability.scenarios import (
    bad_rows,
    burst,
    damage,
    kills,
    million,
    postgresql_crash,
    power_cut,
    refusals,
    two_instances,
    vendor_limits,
)

_HOUR, _DAY = two_instances.HOUR, two_instances.DAY
_FULL_PEOPLE, _FULL_KILLS, _FULL_BACKLOG = 20_000, 1_000, 1_000_000


class Run:
    """The arguments of a scenario: its seed, its scale, and folders to work in."""

    def __init__(self, root: Path, seed: int, scale: float) -> None:
        self.root, self.seed, self._scale = root, seed, scale

    def folder(self) -> Path:
        """Return a new empty folder."""
        return Path(tempfile.mkdtemp(dir=self.root))

    def of(self, full: int) -> int:
        """Return the scaled part of `full`, at least 1."""
        return max(1, int(full * self._scale))


Scenario = Callable[[Run], Iterator[Figure]]


def _kills(run: Run) -> Iterator[Figure]:
    outcome = kills.run(
        run.folder(), seed=run.seed, people=run.of(_FULL_PEOPLE), kills=run.of(_FULL_KILLS), speed=8
    )
    yield from kills.figures(outcome, seed=run.seed)


def _power_cut(run: Run) -> Iterator[Figure]:
    people = run.of(1_000)
    for journal in ("wal", "truncate", power_cut.SPOOL):
        found = power_cut.run(run.folder(), seed=run.seed, people=people, journal=journal)
        yield from power_cut.figures(found, journal=journal, seed=run.seed)
    found = power_cut.run(
        run.folder(), seed=run.seed, people=people, journal="wal", application=power_cut.CARELESS
    )
    yield from power_cut.figures_of_careless(found, seed=run.seed)


def _postgresql_crash(run: Run) -> Iterator[Figure]:
    crashes = run.of(20)
    outcome = postgresql_crash.run(run.folder(), seed=run.seed, crashes=crashes, speed=8)
    yield from postgresql_crash.figures(outcome, seed=run.seed)
    careless = postgresql_crash.CARELESS
    outcome = postgresql_crash.run(
        run.folder(), seed=run.seed, crashes=crashes, speed=8, application=careless
    )
    yield from postgresql_crash.figures_of_careless(outcome, seed=run.seed)


def _vendor_limits(run: Run) -> Iterator[Figure]:
    people = run.of(1_000)
    for latency, deaths in ((0.15, 0), (0.4, 0), (0.15, run.of(100))):
        outcome = vendor_limits.run(run.folder(), seed=run.seed, people=people, latency=latency, kills=deaths)
        yield from vendor_limits.figures(outcome, seed=run.seed)


def _two_instances(run: Run) -> Iterator[Figure]:
    outcome = two_instances.freeze(run.folder(), seed=run.seed, people=run.of(400), seconds=90)
    yield from two_instances.figures(outcome, scenario=two_instances.FROZEN, seed=run.seed, redundant=8)


def _clocks(run: Run) -> Iterator[Figure]:
    jumps = (_HOUR, -_HOUR, _DAY, -_DAY)
    outcome = two_instances.jump(run.folder(), seed=run.seed, people=run.of(400), jumps=jumps, every=20)
    yield from two_instances.figures(outcome, scenario=two_instances.JUMPS, seed=run.seed, redundant=0)


def _burst(run: Run) -> Iterator[Figure]:
    for vendor in burst.VENDORS:
        outcome = burst.run(run.folder(), seed=run.seed, people=1_000, seconds=10, vendor=vendor)
        yield from burst.figures(outcome, seed=run.seed)


def _backlog(run: Run) -> Iterator[Figure]:
    rows = run.of(_FULL_BACKLOG)
    yield from million.figures(million.run(run.folder(), rows=rows, samples=1_000))
    with PostgreSQL() as server:
        outcome = million.run(run.folder(), rows=rows, samples=1_000, database_url=server.url)
    yield from million.figures(outcome)


def _bad_rows(run: Run) -> Iterator[Figure]:
    yield from bad_rows.figures(bad_rows.run(run.folder(), bad=run.of(1_000), good=run.of(400)))
    with PostgreSQL() as server:
        outcome = bad_rows.run(run.folder(), bad=run.of(1_000), good=run.of(400), database_url=server.url)
    yield from bad_rows.figures(outcome)


def _refusals(run: Run) -> Iterator[Figure]:
    for harm in refusals.HARMS:
        outcome = refusals.run(run.folder(), seed=run.seed, harm=harm)
        yield from refusals.figures(outcome, seed=run.seed)
    damaged = damage.run(run.folder(), seed=run.seed, people=run.of(300), pages=20)
    yield from damage.figures(damaged, seed=run.seed)


SCENARIOS: dict[str, Scenario] = {
    "power-cut": _power_cut,
    "burst": _burst,
    "backlog": _backlog,
    "vendor-limits": _vendor_limits,
    "two-instances": _two_instances,
    "clocks": _clocks,
    "refusals": _refusals,
    "bad-rows": _bad_rows,
    "postgresql-crash": _postgresql_crash,
    "kills": _kills,
}


def main() -> int:
    """Measure and print; the exit status is 1 when a figure missed its goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability")
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    if unknown := set(options.scenarios) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    print(
        f"Python {platform.python_version()}, gunicorn {gunicorn.__version__}, "
        f"SQLite {driver.sqlite_version}, {platform.machine()}, seed {options.seed}, scale {options.scale:g}",
        flush=True,
    )
    run = Run(Path(tempfile.mkdtemp(prefix="durability-")), options.seed, options.scale)
    figures: list[Figure] = []
    for name in options.scenarios or SCENARIOS:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            figures += SCENARIOS[name](run)
        except Exception as error:  # noqa: BLE001 - the other figures are wanted all the same
            figures.append(Figure(name, "could not be measured", repr(error), reached=False))
    print(table(figures))
    if any(figure.reached is False for figure in figures):
        print(f"Logs, databases and visitors' notes are kept in {run.root}.")
        return 1
    shutil.rmtree(run.root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
