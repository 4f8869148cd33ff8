"""One form's queue does not grow for ever; what comes on top waits for a person."""

from __future__ import annotations

from typing import Any

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.errors import InvalidForm
from services.forms.catalog import FormCatalog
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.protection.queue_limit import QueueLimit
from services.protection.rules import RULES
from store.forms import Forms
from store.outbox.backlog import PAGE, PendingByForm
from store.outbox.deliveries import Deliveries
from tests.services.conftest import House
from tests.services.vendor import NEWSLETTER

FORM: dict[str, Any] = {"slug": "news", "name": "News", "list_ids": [NEWSLETTER.list_id], "fields": []}


def make(house: House, slug: str, **changes: Any) -> None:
    house.forms.save(FORM | {"slug": slug} | changes)


def sign_up(house: House, slug: str, asker: Requester = ANONYMOUS) -> None:
    at = house.clock.now = house.clock.now + 1
    pairs = [("form", slug), ("email", f"p{at}@example.org")]
    house.intake.accept(read_form(pairs), asker, Evidence())


def stored(house: House) -> tuple[int, int]:
    return len(house.newest(100)), house.suspected.counts().total


def test_a_full_form_keeps_apart_what_comes_on_top(house: House) -> None:
    """Other forms, and the holder of a key, are not concerned; it ends once enough is delivered."""
    make(house, "news", most_pending=3)
    make(house, "other", most_pending=4)
    for _ in range(3):
        sign_up(house, "news")
    house.ceiling.count()
    sign_up(house, "news")
    sign_up(house, "other")
    sign_up(house, "news", Requester("server"))
    assert stored(house) == (5, 1)
    (suspect,) = house.suspected.waiting(10)
    assert [RULES[name] for name in suspect.reasons] == [
        "As many sign-ups by this form waited for their delivery as it allows."
    ]
    house.clock.tick = 50
    house.delivery.drain(10)
    house.clock.tick = 0
    house.ceiling.count()
    sign_up(house, "news")
    assert stored(house) == (6, 1)


def test_no_ceiling_is_none(house: House) -> None:
    """0 stands for any number."""
    make(house, "news", most_pending=0)
    for _ in range(5):
        sign_up(house, "news")
        house.ceiling.count()
    assert stored(house) == (5, 0)


def test_nothing_is_counted_by_form_while_little_waits(house: House) -> None:
    """Below the lowest ceiling no form can be full: that costs one look at an index."""

    class NeverCounted(PendingByForm):
        def count(self) -> Any:
            raise AssertionError("counted")

    directory = FormCatalog(Forms(house.database), clock=house.clock)
    ceiling = QueueLimit(
        forms=directory, deliveries=Deliveries(house.database), pending=NeverCounted(house.database)
    )
    make(house, "news", most_pending=2)
    sign_up(house, "news")
    ceiling.count()
    sign_up(house, "news")
    with pytest.raises(AssertionError, match="counted"):
        ceiling.count()


def test_a_long_queue_is_counted_in_pages(house: House) -> None:
    """Page by page, each sign-up once, and only what waits."""
    make(house, "news")
    form = house.forms.find("news")
    assert form is not None
    sign_up(house, "news")
    with house.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'parked', due_at = NULL, finished_at = 1")
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?)"
        connection.exec_driver_sql(
            f"{numbers} INSERT INTO signups (id, received_at, contact_key, email, person, list_ids, asked_by,"
            " form_id) SELECT i, i, i, '', '{}', '[]', 'form', CASE WHEN i % 3 THEN ? END FROM n",
            (2 * PAGE + 7, form.id),
        )
        connection.exec_driver_sql(
            f"{numbers} INSERT INTO deliveries (source_id, received_at, contact_key, kind, payload, state,"
            " due_at, fence, attempts) SELECT i, i, i, 'sign_up', '{}', 'ready', 5, 0, 0 FROM n",
            (2 * PAGE + 7,),
        )
    every_third = (2 * PAGE + 7) // 3
    assert PendingByForm(house.database).count() == {form.id: 2 * PAGE + 7 - every_third}


@pytest.mark.parametrize(("entered", "kept"), [("", 10_000), ("0", 0), ("25", 25)])
def test_an_admin_enters_it_as_a_number(house: House, entered: str, kept: int) -> None:
    """Left empty it is what Constant Contact takes in a day."""
    make(house, "news", most_pending=entered)
    form = house.forms.find("news")
    assert form is not None
    assert form.most_pending == kept


@pytest.mark.parametrize("entered", ["many", "-1", "1000001", "1.5"])
def test_what_is_no_such_number_is_told(house: House, entered: str) -> None:
    """At its own field."""
    with pytest.raises(InvalidForm) as caught:
        make(house, "news", most_pending=entered)
    assert [error.field for error in caught.value.errors] == ["most_pending"]
    assert "nter a" in caught.value.errors[0].message
