"""Sign-ups as records: the whole of one, the newest, and all of them page by page."""

from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from store.engine.database import Database
from store.forms import Forms
from store.outbox.calls import EndedCall
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.signups.accept import Signups
from store.signups.records import (
    PARKED_IDS,
    CallRecord,
    SignupFilter,
    SignupRecord,
    SignupRecords,
    newest,
    next_page,
)
from tests.store.conftest import accept, signup
from tests.store.engine.test_query_plans import explain

OF_A_FEW = ("_deliveries_due", "_deliveries_contact", "_deliveries_waiting", "_deliveries_parked", "_sending")
FIRST_CALL = 10_000
SECOND = 2_000


def claim(database: Database, now: int) -> Claimed:
    # A wait for the lock counts as time, and a busy machine makes it long.
    claimed = Deliveries(database, monotonic=lambda: 0.0).claim(now)
    assert isinstance(claimed, Claimed)
    return claimed


def park(database: Database, name: str, *, now: int = FIRST_CALL) -> None:
    """Store a sign-up and have it refused; nothing else may be due."""
    accept(database, name)
    assert Deliveries(database).park(claim(database, now), now=now, error="Refused.")


def ids(records: list[SignupRecord]) -> list[str]:
    return [record.id for record in records]


def test_a_record_holds_what_was_submitted_and_where_it_stands(database: Database) -> None:
    """Person, lists, evidence of consent and delivery in one piece; unknown ids have none."""
    accept(database, "s1", at=1_000)
    Deliveries(database).park(claim(database, FIRST_CALL), now=FIRST_CALL + 5, error="Refused.")
    record = SignupRecords(database).find("s1")
    assert record is not None
    assert record == SignupRecord(
        id="s1",
        received_at=1_000,
        email="s1@example.org",
        person={"first_name": "Ada", "last_name": "Lovelace"},
        list_ids=("list-1", "list-2"),
        source="footer",
        consent="v1",
        page="https://example.org/",
        network_address="192.0.2.1",
        user_agent="test",
        asked_by="form",
        delivery_id=record.delivery_id,
        state="parked",
        attempts=1,
        last_error="Refused.",
        due_at=None,
        finished_at=FIRST_CALL + 5,
        action=None,
        contact_id=None,
        merged_into=None,
        form=None,
        consent_version=None,
    )
    assert SignupRecords(database).find("s2") is None


def test_newest_first_by_each_condition(database: Database) -> None:
    """State, address and time narrow what is shown, alone and together; the limit cuts the oldest off."""
    park(database, "parked")
    accept(database, "old", at=1_000)
    accept(database, "ada-1", contact="ada@example.org", at=2_000)
    accept(database, "ada-2", contact="ada@example.org", at=3_000)
    accept(database, "twin", at=3_000)
    records = SignupRecords(database)
    assert ids(records.newest(SignupFilter(), 9)) == ["twin", "ada-2", "ada-1", "old", "parked"]
    assert ids(records.newest(SignupFilter(), 2)) == ["twin", "ada-2"]
    assert ids(records.newest(SignupFilter(state="ready"), 3)) == ["twin", "ada-2", "ada-1"]
    assert ids(records.newest(SignupFilter(state="parked"), 9)) == ["parked"]
    assert ids(records.newest(SignupFilter(state="delivered"), 9)) == []
    assert ids(records.newest(SignupFilter(contact_key="ada@example.org"), 9)) == ["ada-2", "ada-1"]
    assert ids(records.newest(SignupFilter(since=3_000), 9)) == ["twin", "ada-2"]
    together = SignupFilter(state="ready", contact_key="ada@example.org", since=2_001)
    assert ids(records.newest(together, 9)) == ["ada-2"]
    claim(database, FIRST_CALL + SECOND)
    assert ids(records.newest(SignupFilter(state="sending"), 9)) == ["old"]


def test_all_comes_oldest_first_over_any_number_of_pages(database: Database) -> None:
    """Each exactly once, also where many came in the same millisecond at the edge of a page."""
    for name in ("s2", "s4", "s1", "s3"):
        accept(database, name, at=7)
    accept(database, "z-early", at=6)
    accept(database, "a-late", at=8)
    for page in (1, 2, 3, 6, 7):
        records = SignupRecords(database, page=page)
        assert ids(list(islice(records.all(SignupFilter()), 9))) == [
            "z-early",
            "s1",
            "s2",
            "s3",
            "s4",
            "a-late",
        ]
        assert ids(list(records.all(SignupFilter(contact_key="s3@example.org")))) == ["s3"]


def test_nothing_is_open_between_two_pages(database: Database) -> None:
    """A slow reader blocks no writer: a write succeeds in the middle of it."""
    accept(database, "s1")
    accept(database, "s2")
    reading = SignupRecords(database, page=1).all(SignupFilter())
    assert next(reading).id == "s1"
    accept(database, "s3")
    assert ids(list(reading)) == ["s2", "s3"]


def test_calls_are_told_in_order_with_their_outcome(database: Database) -> None:
    """Each call with start, end and outcome; one whose process died has neither end nor outcome."""
    accept(database, "s1")
    first = claim(database, FIRST_CALL)
    Deliveries(database).postpone(
        first, due_at=FIRST_CALL + SECOND, error="Busy.", count=True, call=EndedCall(FIRST_CALL + 300)
    )
    second = claim(database, FIRST_CALL + SECOND)
    records = SignupRecords(database)
    record = records.find("s1")
    assert record is not None
    assert records.attempts_for(record) == [
        CallRecord(first.delivery_id, FIRST_CALL, FIRST_CALL + 300, "postponed: Busy.", ()),
        CallRecord(second.delivery_id, FIRST_CALL + SECOND, None, None, ()),
    ]


def test_a_merged_signup_shows_the_call_that_carried_it_and_no_other(database: Database) -> None:
    """Of the other delivery's calls only those are shown that it was merged into; that one is named."""
    accept(database, "leader", contact="ada@example.org", at=1)
    deliveries = Deliveries(database)
    deliveries.postpone(claim(database, FIRST_CALL), due_at=FIRST_CALL, error="Busy.", count=True)
    accept(database, "carried", contact="ada@example.org", at=2)
    leader = claim(database, FIRST_CALL + SECOND)
    (younger,) = leader.younger
    ended = FIRST_CALL + SECOND + 200
    assert deliveries.delivered(
        leader, now=ended, contact_id="c-1", action="created", carried=(younger.delivery_id,)
    )
    records = SignupRecords(database)
    record = records.find("carried")
    assert record is not None
    assert (record.state, record.merged_into, record.contact_id) == ("merged", leader.delivery_id, "c-1")
    assert records.signup_of(leader.delivery_id) == "leader"
    assert [attempt.ended_at for attempt in records.attempts_for(record)] == [ended]
    assert len(records.attempts_for(replace(record, merged_into=None))) == 0


def test_parked_ids_go_on_while_rows_stop_being_parked(database: Database) -> None:
    """Retrying each on the way neither skips one nor comes back to one that was refused again."""
    for name in ("s1", "s2", "s3", "s4", "s5"):
        accept(database, name)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'parked', due_at = NULL")
    deliveries, seen = Deliveries(database), []
    for signup_id in SignupRecords(database, page=2).parked_ids():
        assert deliveries.retry(signup_id, now=5)
        seen.append(signup_id)
    assert seen == ["s1", "s2", "s3", "s4", "s5"]


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        pytest.param(newest(SignupFilter(), 50), {}, id="newest"),
        pytest.param(newest(SignupFilter(since=5), 50), {}, id="newest since"),
        pytest.param(newest(SignupFilter(state="delivered"), 50), {}, id="newest delivered"),
        pytest.param(next_page(SignupFilter(), (5, "s"), 500), {}, id="page"),
        pytest.param(PARKED_IDS, {"after": 5, "at_most": 500}, id="parked ids"),
    ],
)
def test_reading_costs_no_more_than_what_is_shown(
    database: Database, statement: Any, values: dict[str, object]
) -> None:
    """Each step searches an index or walks one in the order wanted; nothing is sorted."""
    with database.transaction() as connection:
        if connection.dialect.name == "postgresql":
            # Sorting nothing is cheap; what must be shown is that it can be done without.
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
        plan = explain(connection, statement, values)
    assert "TEMP B-TREE" not in plan
    assert "Seq Scan" not in plan
    assert '"Node Type": "Sort"' not in plan
    assert all("INDEX ix_" in step for step in plan.splitlines() if step.startswith("SCAN")), plan


@pytest.mark.parametrize("state", ["ready", "sending", "parked"])
def test_states_of_a_few_are_found_by_their_index(database: Database, state: str) -> None:
    """A few among millions: an index of them is read, and only they are sorted."""
    with database.transaction() as connection:
        plan = explain(connection, newest(SignupFilter(state=state), 50), {})
    assert any(name in plan for name in OF_A_FEW), plan
    assert "Seq Scan" not in plan
    assert "ix_signups_received_at" not in plan


def test_a_record_names_its_form(database: Database) -> None:
    """By its short name, with the version of the wording that was agreed to."""
    form = Forms(database).save("news", name="News", definition={}, wording="Yes.", now=1)
    of_form = replace(signup("s1"), form_id=form.id, consent_version=1)
    Signups(database).accept(of_form, kind="sign_up", payload={})
    record = SignupRecords(database).find("s1")
    assert record is not None
    assert (record.form, record.consent_version) == ("news", 1)
    assert list(SignupRecords(database).all(SignupFilter())) == [record]


def test_custom_fields_and_tags_come_back_as_they_were_said(database: Database) -> None:
    """Several choices stay several; a sign-up without any has none."""
    said = {"Shoe size": "42", "Topics": ["Chess", "Köche"]}
    new = replace(signup("s1"), custom_fields=said, tags=("VIP", "a, b"))
    Signups(database).accept(new, kind="sign_up", payload={})
    accept(database, "s2")
    record, other = SignupRecords(database).find("s1"), SignupRecords(database).find("s2")
    assert record is not None
    assert (record.custom_fields, record.tags) == (said, ("VIP", "a, b"))
    assert other is not None
    assert (other.custom_fields, other.tags) == ({}, ())
