"""One form's queue does not grow for ever; what comes on top waits for a person."""

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
from tests.services.conftest import System
from tests.services.vendor import NEWSLETTER

FORM: dict[str, Any] = {"slug": "news", "name": "News", "list_ids": [NEWSLETTER.list_id], "fields": []}


def make(system: System, slug: str, **changes: Any) -> None:
    system.forms.save(FORM | {"slug": slug} | changes)


def sign_up(system: System, slug: str, asker: Requester = ANONYMOUS) -> None:
    at = system.clock.now = system.clock.now + 1
    pairs = [("form", slug), ("email", f"p{at}@example.org")]
    system.intake.accept(read_form(pairs), asker, Evidence())


def stored(system: System) -> tuple[int, int]:
    return len(system.newest(100)), system.suspected.counts().total


def test_a_full_form_keeps_apart_what_comes_on_top(system: System) -> None:
    """Other forms, and the holder of a key, are not concerned; it ends once enough is delivered."""
    make(system, "news", most_pending=3)
    make(system, "other", most_pending=4)
    for _ in range(3):
        sign_up(system, "news")
    system.ceiling.count()
    sign_up(system, "news")
    sign_up(system, "other")
    sign_up(system, "news", Requester("server"))
    assert stored(system) == (5, 1)
    (suspect,) = system.suspected.waiting(10)
    assert [RULES[name] for name in suspect.reasons] == [
        "As many sign-ups by this form waited for their delivery as it allows."
    ]
    system.clock.tick = 50
    system.delivery.drain(10)
    system.clock.tick = 0
    system.ceiling.count()
    sign_up(system, "news")
    assert stored(system) == (6, 1)


def test_no_ceiling_is_none(system: System) -> None:
    """0 stands for any number."""
    make(system, "news", most_pending=0)
    for _ in range(5):
        sign_up(system, "news")
        system.ceiling.count()
    assert stored(system) == (5, 0)


def test_nothing_is_counted_by_form_while_little_waits(system: System) -> None:
    """Below the lowest ceiling no form can be full: that costs one look at an index."""

    class NeverCounted(PendingByForm):
        def count(self) -> Any:
            raise AssertionError("counted")

    directory = FormCatalog(Forms(system.database), clock=system.clock)
    ceiling = QueueLimit(
        forms=directory, deliveries=Deliveries(system.database), pending=NeverCounted(system.database)
    )
    make(system, "news", most_pending=2)
    sign_up(system, "news")
    ceiling.count()
    sign_up(system, "news")
    with pytest.raises(AssertionError, match="counted"):
        ceiling.count()


def test_a_long_queue_is_counted_in_pages(system: System) -> None:
    """Page by page, each sign-up once, and only what waits."""
    make(system, "news")
    form = system.forms.find("news")
    assert form is not None
    sign_up(system, "news")
    with system.database.transaction() as connection:
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
    assert PendingByForm(system.database).count() == {form.id: 2 * PAGE + 7 - every_third}


@pytest.mark.parametrize(("entered", "kept"), [("", 10_000), ("0", 0), ("25", 25)])
def test_an_admin_enters_it_as_a_number(system: System, entered: str, kept: int) -> None:
    """Left empty it is what Constant Contact takes in a day."""
    make(system, "news", most_pending=entered)
    form = system.forms.find("news")
    assert form is not None
    assert form.most_pending == kept


@pytest.mark.parametrize("entered", ["many", "-1", "1000001", "1.5"])
def test_what_is_no_such_number_is_told(system: System, entered: str) -> None:
    """At its own field."""
    with pytest.raises(InvalidForm) as caught:
        make(system, "news", most_pending=entered)
    assert [error.field for error in caught.value.errors] == ["most_pending"]
    assert "nter a" in caught.value.errors[0].message
