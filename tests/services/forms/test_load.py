"""How busy a form is, as one process sees it."""

from services.forms.load import FormLoad
from tests.services.conftest import Clock


def test_the_last_minute_fades() -> None:
    """Posts count in full in their own minute and less and less in the next; then they are forgotten."""
    clock = Clock()
    clock.now -= clock.now % 60_000
    load = FormLoad(clock=clock)
    for _ in range(60):
        load.note("news")
    assert (load.per_minute("news"), load.per_minute("other")) == (60, 0)
    clock.now += 60_000
    assert load.per_minute("news") == 60
    clock.now += 45_000
    assert load.per_minute("news") == 15
    load.note("news")
    clock.now += 15_000
    assert load.per_minute("news") == 1
    clock.now += 120_000
    assert load.per_minute("news") == 0


def test_a_clock_that_is_set_back_begins_anew() -> None:
    """Nothing of a time to come is kept."""
    clock = Clock()
    load = FormLoad(clock=clock)
    load.note("news")
    clock.now -= 600_000
    assert load.per_minute("news") == 0
