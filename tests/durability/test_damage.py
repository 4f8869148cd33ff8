"""Pages of the database file are overwritten in use; a short form of `make bench-durability`."""

from pathlib import Path

import pytest

from tests.durability.machines.clock import COMPILER
from tests.durability.scenarios import damage

pytestmark = [
    pytest.mark.durability,
    pytest.mark.skipif(COMPILER is None, reason="a fast clock needs a C compiler: apt install gcc"),
]


def test_damage_while_delivering_loses_nothing(tmp_path: Path, seed: int) -> None:
    """Neither what waited nor what was delivered: nobody is lost, doubled, or set back to an older wish."""
    outcome = damage.run(tmp_path, seed=seed, people=150, pages=20)
    verdict = outcome.verdict
    assert min(outcome.done, outcome.waiting) > 0
    assert list((tmp_path / "data").glob("*.kept-damaged-*"))
    assert (verdict.lost, verdict.duplicates, verdict.disorder) == ([], [], [])
    assert (verdict.waiting, verdict.parked) == (0, 0)
