"""Six senders keep to the vendor's limits, and waste none of its calls."""

from pathlib import Path

import pytest

from tests.durability.scenarios import vendor_limits

pytestmark = pytest.mark.durability


def test_six_senders_share_one_budget(tmp_path: Path, seed: int) -> None:
    """In real time, by the vendor's own record: no call refused, one for each sign-up, and no idling."""
    outcome = vendor_limits.run(tmp_path, seed=seed, people=24, latency=0.15)
    verdict = outcome.verdict
    assert (verdict.lost, verdict.duplicates) == ([], [])
    assert verdict.calls == verdict.rows == verdict.delivered
    assert outcome.vendor.throttled() == 0
    assert outcome.vendor.most_in_a_second() <= 4
    # The goal is 3.6 and the bench measures it; half of it is beyond any machine's mood.
    assert outcome.per_second > 1.8
