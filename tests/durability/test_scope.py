"""Bad sign-ups in front of good ones, with real processes; the short form of a scenario of the proof."""

from pathlib import Path

import pytest

from tests.durability.scenarios import bad_rows

pytestmark = pytest.mark.durability


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_bad_sign_ups_of_three_kinds_hold_up_nobody(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    """Whatever their number the first good one arrives soon, all do, and few calls are refused."""
    url = request.getfixturevalue("postgresql_url") if engine == "postgresql" else ""
    outcome = bad_rows.run(tmp_path, bad=90, good=40, database_url=url)
    assert (outcome.delivered, outcome.parked) == (40, 90)
    assert outcome.first < bad_rows.FIRST_WITHIN_SECONDS
    assert outcome.refused <= 20
