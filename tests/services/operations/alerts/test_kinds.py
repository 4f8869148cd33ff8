"""Which problems are told of, and as what."""

import re
from pathlib import Path

import pytest

from services.operations.alerts.kinds import KINDS, by_kind
from services.problems import Level, Problem

PROBLEM, WARNING = Level.PROBLEM, Level.WARNING


@pytest.mark.parametrize(
    ("code", "level", "kind"),
    [
        ("connection_needs_reauthorization", PROBLEM, "connection"),
        ("connection_idle", WARNING, "connection"),
        ("connection_refresh_failing", PROBLEM, "connection"),
        ("connection_refresh_failing", WARNING, None),
        ("connection_disconnected", PROBLEM, None),
        ("backlog_old", PROBLEM, "waiting"),
        ("delivery_paused", WARNING, None),
        ("signups_parked", WARNING, "parked"),
        ("signups_refused_alike", PROBLEM, "refused"),
        ("day_used_up", WARNING, "quota"),
        ("not_storable", PROBLEM, "store"),
        ("spool_waiting", WARNING, "store"),
        ("database_upgrading", WARNING, None),
        ("delivery_silent", PROBLEM, "worker"),
        ("signups_quiet", WARNING, "quiet"),
        ("quiet_unknown", Level.OK, None),
        ("suspected_waiting", Level.OK, None),
    ],
)
def test_a_problem_is_of_one_kind_or_none(code: str, level: Level, kind: str | None) -> None:
    """What passes by itself, or is known to whoever did it, is not told of."""
    found = by_kind([Problem(code, level, "Sentence.", "Cure.")])
    assert [name for name, seen in found.items() if seen] == [kind] * (kind is not None)
    assert set(found) == {each.name for each in KINDS}
    if kind:
        assert found[kind] == ({"code": code, "sentence": "Sentence.", "cure": "Cure."},)


def test_every_code_is_one_that_is_documented() -> None:
    """A code that was renamed would never be told of again."""
    documented = set(re.findall(r"^\| `(\w+)`", Path("docs/problems.md").read_text(), re.MULTILINE))
    assert {code for kind in KINDS for code in kind.codes} <= documented


def test_every_kind_has_its_row_in_the_operators_guide() -> None:
    """By the headline that its mails begin with."""
    rows = set(re.findall(r"^\| ([^|]+) \| `(\w+)` \|", Path("docs/operations.md").read_text(), re.MULTILINE))
    assert rows == {(kind.begun, kind.name) for kind in KINDS}
