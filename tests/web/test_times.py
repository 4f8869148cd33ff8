"""Times on pages."""

from web import times

MOMENT = 1_795_253_896_000


def test_times_are_utc() -> None:
    """The same moment for people and for machines, in UTC."""
    assert times.readable(MOMENT) == "21 Nov 2026, 09:38 UTC"
    assert times.machine(MOMENT) == "2026-11-21T09:38:16Z"
