"""A thank-you outlives a power cut; short forms of `make bench-durability`, see docs/durability.md."""

from pathlib import Path

import pytest

from tests.durability.machines.strace import STRACE
from tests.durability.scenarios import power_cut

pytestmark = [
    pytest.mark.durability,
    pytest.mark.skipif(STRACE is None, reason="needs strace: apt install strace"),
]
PEOPLE = 40


@pytest.mark.parametrize("journal", ["wal", "truncate", power_cut.SPOOL])
def test_every_thanked_sign_up_is_on_the_disk_at_that_moment(tmp_path: Path, seed: int, journal: str) -> None:
    """Only the synced bytes are left, then a random half of the others as well: nobody is missing."""
    found = power_cut.run(tmp_path, seed=seed, people=PEOPLE, journal=journal)
    assert (found.acknowledged, found.cuts) == (PEOPLE, 2 * PEOPLE)
    assert (found.lost, found.damaged) == ([], [])
    assert found.unlike_the_disk == [], "the replay misses something that the app does to its files"


def test_without_the_sync_of_each_commit_the_loss_is_seen(tmp_path: Path, seed: int) -> None:
    """The same look at an app with synchronous=NORMAL finds sign-ups missing: this test can fail."""
    found = power_cut.run(tmp_path, seed=seed, people=PEOPLE, journal="wal", application=power_cut.CARELESS)
    assert len(found.lost) > PEOPLE
