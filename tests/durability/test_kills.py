"""Killed, frozen and misdated processes lose nothing; short forms of `make bench-durability`."""

from pathlib import Path

import pytest

from tests.durability.machines.clock import COMPILER
from tests.durability.scenarios import kills, postgresql_crash, two_instances
from tests.durability.verdict import Verdict

pytestmark = [
    pytest.mark.durability,
    pytest.mark.skipif(COMPILER is None, reason="a fast clock needs a C compiler: apt install gcc"),
]


def assert_kept(verdict: Verdict, *, redundant: int) -> None:
    """Everybody thanked is where they wanted to be, once, in order, at the price of few calls too many."""
    assert verdict.thanked > 0
    assert (verdict.lost, verdict.duplicates, verdict.disorder) == ([], [], [])
    assert (verdict.waiting, verdict.parked) == (0, 0)
    assert verdict.redundant <= redundant


def test_killed_processes_lose_nothing(tmp_path: Path, seed: int) -> None:
    """SIGKILL of web workers, delivery workers and the master, while people sign up and are delivered."""
    outcome = kills.run(tmp_path, seed=seed, people=120, kills=8, speed=8, workers=1)
    assert outcome.killed.total() == 8
    assert_kept(outcome.verdict, redundant=8)


@pytest.mark.postgresql
def test_a_crashed_postgresql_loses_nothing(tmp_path: Path, seed: int) -> None:
    """It crashes while people sign up, and the last time it stays away for some seconds."""
    outcome = postgresql_crash.run(tmp_path, seed=seed, crashes=2, speed=8, pace=20, away_seconds=1)
    assert_kept(outcome.verdict, redundant=2)


@pytest.mark.postgresql
def test_a_frozen_instance_neither_blocks_nor_repeats(tmp_path: Path, seed: int) -> None:
    """Frozen for longer than a lease with calls under way: the other goes on, a late finish is void."""
    outcome = two_instances.freeze(tmp_path, seed=seed, people=40, seconds=70, speed=8)
    assert_kept(outcome.verdict, redundant=8)
