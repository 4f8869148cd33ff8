"""A flooded form leaves its part of the vendor's day to every other form."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from services import Form
from services.bodies import read_form
from services.day_share import SPAN_MS, SPANS, DayShare, calls_of
from tests.services.conftest import House
from tests.services.vendor import NEWSLETTER

FORM: dict[str, Any] = {"slug": "news", "name": "News", "list_ids": [NEWSLETTER.list_id]}


class Believed:
    """What was believed, by the span that it came in; `asked` are the spans that were counted."""

    def __init__(self) -> None:
        self.spans: dict[int, Counter[int | None]] = {}
        self.asked: list[int] = []

    def add(self, form: Form | None, number: int, *, span: int) -> None:
        self.spans.setdefault(span, Counter())[form.id if form else None] += number

    def count(self, asker: str, *, since: int, before: int) -> Counter[int | None]:
        assert (asker, before - since) == ("form", SPAN_MS)
        self.asked.append(since // SPAN_MS)
        return Counter(self.spans.get(since // SPAN_MS, {}))


@pytest.fixture
def believed() -> Believed:
    return Believed()


@pytest.fixture
def share(house: House, believed: Believed) -> DayShare:
    return DayShare(forms=house.forms, believed=believed, percent=80, clock=house.clock)


def used_up(share: DayShare, *forms: Form | None) -> list[bool]:
    share.count()
    return [share.is_used_up(form) for form in forms]


def test_a_flooded_form_leaves_the_rest_to_the_others(
    house: House, believed: Believed, share: DayShare
) -> None:
    """8,000 for all together; of the other 2,000 each form, and what comes without one, has an even part."""
    flooded, quiet = (house.forms.save(FORM | {"slug": slug}) for slug in ("flooded", "quiet"))
    house.forms.save(FORM | {"slug": "third"})
    span = house.clock.now // SPAN_MS
    believed.add(flooded, 7_600, span=span)
    believed.add(quiet, 399, span=span)
    assert used_up(share, flooded, quiet, None) == [False, False, False]
    believed.add(flooded, 1, span=span)
    assert used_up(share, flooded, quiet, None) == [True, False, False]
    believed.add(quiet, 101, span=span)
    believed.add(None, 500, span=span)
    assert used_up(share, flooded, quiet, None) == [True, True, True]
    # Whatever anybody does, no more than the day's calls: 8,000 and four times 500.
    assert 7_601 + 500 + 500 <= 10_000


def test_it_counts_what_a_sign_up_costs(house: House, believed: Believed, share: DayShare) -> None:
    """One that is looked up before, and tagged after, takes three calls."""
    costly = house.forms.save(FORM | {"protect_existing": True, "tags": ["new"]})
    assert (calls_of(costly), calls_of(None)) == (3, 1)
    believed.add(costly, 2_666, span=house.clock.now // SPAN_MS)
    assert used_up(share, costly) == [False]
    believed.add(costly, 1, span=house.clock.now // SPAN_MS)
    assert used_up(share, costly) == [True]


def test_no_24_hours_hold_more(house: House, believed: Believed, share: DayShare) -> None:
    """A flood before midnight counts after it; a span that is over is counted once."""
    form = house.forms.save(FORM)
    span = house.clock.now // SPAN_MS
    believed.add(form, 9_000, span=span)
    assert used_up(share, form) == [True]
    house.clock.now = (span + SPANS) * SPAN_MS + 61_000
    assert used_up(share, form) == [True]
    believed.asked.clear()
    assert used_up(share, form) == [True]
    assert believed.asked == [span + SPANS]
    house.clock.now = (span + SPANS + 1) * SPAN_MS
    assert used_up(share, form) == [False]


def test_a_share_of_all_is_no_limit(house: House, believed: Believed) -> None:
    """The vendor's own limit then makes sign-ups wait for the next day."""
    form = house.forms.save(FORM)
    believed.add(form, 20_000, span=house.clock.now // SPAN_MS)
    share = DayShare(forms=house.forms, believed=believed, percent=100, clock=house.clock)
    assert used_up(share, form) == [False]


def test_what_is_over_the_share_waits_for_a_person(house: House) -> None:
    """It is stored, not sent, and the reason is named; a quiet form goes on as ever."""
    flooded, quiet = (house.forms.save(FORM | {"slug": slug}) for slug in ("flooded", "quiet"))
    sent = read_form([("form", "flooded"), ("email", "ann@example.org")])
    assert house.protection.judge(sent, flooded, None).broken == ()
    house.day_share._used_up = frozenset({flooded.id})
    judgement = house.protection.judge(sent, flooded, None)
    assert (judgement.broken, judgement.found_out) == (("day_share",), False)
    assert house.protection.judge(sent, quiet, None).broken == ()
    trapped = read_form([("form", "flooded"), ("email", "ann@example.org"), ("website", "x")])
    assert house.protection.judge(trapped, flooded, None).broken == ("honeypot",)
