"""A flooded form leaves its part of the vendor's day to every other form."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from services.access.requester import ANONYMOUS
from services.delivery.attempt import Outcome
from services.forms.form import Form
from services.forms.honeypot import trap_name
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.protection.day_share import SPAN_MS, SPANS, DayShare, calls_of
from store.outbox.claims import FRESH_MS
from store.signups.believed import AcceptedByForm
from tests.services.conftest import System
from tests.services.vendor import NEWSLETTER

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
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
def share(system: System, believed: Believed) -> DayShare:
    return DayShare(forms=system.forms, believed=believed, percent=80, clock=system.clock)


def used_up(share: DayShare, *forms: Form | None) -> list[bool]:
    share.count()
    return [share.is_used_up(form) for form in forms]


def test_a_flooded_form_leaves_the_rest_to_the_others(
    system: System, believed: Believed, share: DayShare
) -> None:
    """8,000 for all together; of the other 2,000 each form, and what comes without one, has an even part."""
    flooded, quiet = (system.forms.save(FORM | {"slug": slug}) for slug in ("flooded", "quiet"))
    system.forms.save(FORM | {"slug": "third"})
    span = system.clock.now // SPAN_MS
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


def test_it_counts_what_a_sign_up_costs(system: System, believed: Believed, share: DayShare) -> None:
    """One that is looked up before, and tagged after, takes three calls."""
    costly = system.forms.save(FORM | {"protect_existing": True, "tags": ["new"]})
    assert (calls_of(costly), calls_of(None)) == (3, 1)
    believed.add(costly, 2_666, span=system.clock.now // SPAN_MS)
    assert used_up(share, costly) == [False]
    believed.add(costly, 1, span=system.clock.now // SPAN_MS)
    assert used_up(share, costly) == [True]


def test_no_24_hours_hold_more(system: System, believed: Believed, share: DayShare) -> None:
    """A flood before midnight counts after it; a span that is over is counted once."""
    form = system.forms.save(FORM)
    span = system.clock.now // SPAN_MS
    believed.add(form, 9_000, span=span)
    assert used_up(share, form) == [True]
    system.clock.now = (span + SPANS) * SPAN_MS + 61_000
    assert used_up(share, form) == [True]
    believed.asked.clear()
    assert used_up(share, form) == [True]
    assert believed.asked == [span + SPANS]
    system.clock.now = (span + SPANS + 1) * SPAN_MS
    assert used_up(share, form) == [False]


def test_a_share_of_all_is_no_limit(system: System, believed: Believed) -> None:
    """The vendor's own limit then makes sign-ups wait for the next day."""
    form = system.forms.save(FORM)
    believed.add(form, 20_000, span=system.clock.now // SPAN_MS)
    share = DayShare(forms=system.forms, believed=believed, percent=100, clock=system.clock)
    assert used_up(share, form) == [False]


@pytest.fixture
def flooded(tmp_path: Path, believed: Believed) -> Iterator[System]:
    """Where the form “flooded” has had its share of the day, and the form “quiet” has not."""
    system = System(tmp_path, store=lambda store: replace(store, believed=cast(AcceptedByForm, believed)))
    system.connect()
    form, _ = (system.forms.save(FORM | {"slug": slug}) for slug in ("flooded", "quiet"))
    believed.add(form, 8_000, span=system.clock.now // SPAN_MS)
    system.day_share.count()
    yield system
    system.database.close()


def post(system: System, slug: str, **more: str) -> str:
    sent = read_form([("form", slug), ("email", f"{slug}@example.org"), *more.items()])
    return system.intake.accept(sent, ANONYMOUS, Evidence()).id


def test_what_is_over_the_share_waits_for_the_next_day(flooded: System) -> None:
    """It is believed, and delivered once it takes nothing of what is kept for others; they go on as ever."""
    due_at = flooded.clock.now - flooded.clock.now % DAY_MS + DAY_MS + HOUR_MS
    over = post(flooded, "flooded")
    post(flooded, "quiet")
    assert flooded.attempt.step().outcome is Outcome.DELIVERED
    assert [person["email_address"] for person in flooded.vendor.signed_up] == ["quiet@example.org"]
    assert flooded.attempt.step().outcome is Outcome.IDLE
    assert (flooded.view(over).status, flooded.view(over).next_attempt_at) == ("queued", due_at)
    flooded.clock.now = due_at
    assert flooded.attempt.step().outcome is Outcome.DELIVERED
    assert flooded.view(over).status == "subscribed"


def test_a_flood_of_before_midnight_takes_no_call_that_is_kept_for_the_fresh(flooded: System) -> None:
    """When it is due, it is older than what claims call fresh."""
    form = flooded.forms.find("flooded")
    tomorrow = flooded.clock.now - flooded.clock.now % DAY_MS + DAY_MS
    for before_midnight in (1, HOUR_MS, DAY_MS):
        flooded.clock.now = tomorrow - before_midnight
        due_at = flooded.day_share.due_at(form)
        assert due_at == tomorrow + HOUR_MS
        assert due_at - flooded.clock.now > FRESH_MS


def test_a_wait_for_the_share_has_a_name(flooded: System) -> None:
    """An admin reads why sign-ups wait, and by which setting."""
    post(flooded, "flooded")
    told = {problem.code: problem for problem in flooded.health.report().problems}
    assert "ANONYMOUS_SHARE_OF_DAY" in told["signups_wait_for_their_time"].sentence


def test_a_trapped_one_is_kept_apart_whatever_the_share(flooded: System) -> None:
    """What gave itself away waits for a person, not for a day."""
    trapped = post(flooded, "flooded", **{trap_name("flooded"): "x"})
    assert flooded.view(trapped).status == "suspected"
