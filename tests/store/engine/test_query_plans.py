"""No query of the delivery loop may read the whole table or sort: it holds every sign-up there ever was."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from store.connection.audit import RECENT
from store.engine.database import Database
from store.mail import messages
from store.opt_outs import NEXT, OUTLOOK, STANDING
from store.outbox.backlog import BACKLOG, NEXT_PAGE, PENDING_UP_TO, WAITING_BEYOND, Backlog
from store.outbox.calls import FAILED_ALONE_BEFORE
from store.outbox.claims import (
    ANY_WAITING,
    CLAIM,
    CLAIM_FRESH,
    CLAIM_THIS,
    NEWCOMER,
    NEXT_DUE,
    NEXT_FRESH,
    TAKEN,
    YOUNGER,
)
from store.outbox.controls import ANYWHERE, OLDEST_RECEIVED
from store.outbox.deliveries import (
    RETRIED,
    Deliveries,
)
from store.outbox.finish import BEHIND
from store.outbox.public_backlog import COUNT as PUBLIC_COUNT
from store.outbox.public_backlog import LAST_BEFORE, OLDEST_DUE
from store.outbox.put_aside import ANY_OF_CAUSE, NEWEST, OLDEST, PROBE
from store.outbox.requested import NEWEST as NEWEST_REQUESTED
from store.outbox.requested import REFUSED as REQUEST_REFUSED
from store.outbox.requested import WAITING as REQUEST_WAITING
from store.signups import arrivals
from store.signups.accept import _FIND
from store.signups.believed import BY_FORM
from store.signups.suspected import COUNT, FIND, NEWER, OF_CONTACT, PAGE, SOUGHT
from store.upkeep.retention import (
    FINISHED,
    MASK,
    OLD_ATTEMPTS,
    OLD_SUSPECTED,
    PARKED_OF_DAY,
    SUSPECTED_OF_DAY,
    UNFINISHED_OF_DAY,
)
from tests.support.postgresql_server import new_database

NOW = 200_000
LOOP = [
    pytest.param(CLAIM, {"now": NOW, "lease_until": NOW}, id="claim"),
    pytest.param(CLAIM_FRESH, {"now": NOW, "lease_until": NOW, "since": NOW - 100}, id="claim fresh"),
    pytest.param(YOUNGER, {"contact": "c99999", "leader": 1}, id="younger"),
    pytest.param(NEXT_FRESH, {"now": NOW, "since": NOW - 100}, id="next fresh"),
    pytest.param(NEXT_DUE, {"now": NOW}, id="next due"),
    pytest.param(ANY_WAITING, {}, id="any waiting"),
    pytest.param(PENDING_UP_TO, {"at_most": 5}, id="pending up to"),
    pytest.param(BEHIND, {"contact": "c99999", "leader": 1, "due": NOW}, id="behind"),
    pytest.param(RETRIED, {"sought": "s1", "now": NOW}, id="retry"),
    pytest.param(CLAIM_THIS, {"now": NOW, "lease_until": NOW, "this": 90_001}, id="claim a control"),
    pytest.param(NEWCOMER, {"now": NOW, "lease_until": NOW, "since": NOW - 100}, id="claim a newcomer"),
    pytest.param(TAKEN, {"this": 90_001}, id="taken"),
    pytest.param(OLDEST, {"now": NOW, "at_most": 60}, id="oldest due"),
    pytest.param(NEWEST, {"since": 0, "at_most": 60}, id="newest"),
    pytest.param(ANYWHERE, {"since": 70_000, "at_most": 60}, id="anywhere"),
    pytest.param(OLDEST_RECEIVED, {}, id="oldest received"),
    pytest.param(PROBE, {"now": NOW, "lease_until": NOW, "why": "x", "before": 2**62}, id="probe of a cause"),
    pytest.param(ANY_OF_CAUSE, {"why": "x"}, id="any of a cause"),
    pytest.param(FINISHED, {"until": 10}, id="payloads to blank"),
    pytest.param(OLD_ATTEMPTS, {"until": 10}, id="attempts to remove"),
    pytest.param(MASK, {"signup": "s1", "network": "192.0.2.0/24"}, id="mask"),
    pytest.param(UNFINISHED_OF_DAY, {"since": 60_000, "before": 60_010}, id="unfinished of a day"),
    pytest.param(PARKED_OF_DAY, {"since": 60_000, "before": 60_010}, id="parked of a day"),
    pytest.param(_FIND, {"signup_id": "s1"}, id="find"),
    pytest.param(BACKLOG, {"at_most": 10}, id="backlog"),
    pytest.param(WAITING_BEYOND, {"moment": NOW}, id="waiting for their own time"),
    pytest.param(FAILED_ALONE_BEFORE, {"delivery": 1}, id="failed alone before"),
    pytest.param(OLDEST_DUE, {"now": NOW}, id="oldest due"),
    pytest.param(LAST_BEFORE, {"first_waiting": 50_001}, id="last before"),
    pytest.param(
        PUBLIC_COUNT,
        {"at_most": 10, "recent": 99_990, "stranger": "form", "since": 99_990},
        id="public backlog",
    ),
    pytest.param(NEXT, {"now": NOW}, id="probably next"),
]
STATEMENTS = [
    *LOOP,
    pytest.param(RECENT, {"at_most": 10}, id="recent events"),
    pytest.param(OLD_SUSPECTED, {"until": 10}, id="suspected to remove"),
    pytest.param(SUSPECTED_OF_DAY, {"since": 1, "before": 2}, id="suspected of a day"),
    pytest.param(PAGE, {"rank": 1, "at": 9, "before_id": "s", "at_most": 10}, id="suspected"),
    pytest.param(OF_CONTACT, {"contact": "c1", "at_most": 10}, id="suspected of a contact"),
    pytest.param(NEWER, {"since": 9}, id="newer suspected"),
    pytest.param(
        SOUGHT, {"seen": 9, "rank": 1, "reason": "%x%", "at": 1, "after_id": "s"}, id="suspected to decide on"
    ),
    pytest.param(COUNT, {}, id="count suspected"),
    pytest.param(NEXT_PAGE, {"received": -1, "due": -1}, id="pending by form"),
    pytest.param(FIND, {"wanted": "s1"}, id="find suspected"),
    pytest.param(OUTLOOK, {"now": NOW}, id="outlook"),
    pytest.param(STANDING, {"contact": "c99999", "contact_key": "c99999"}, id="standing"),
    pytest.param(messages.NEXT, {"now": NOW}, id="next message"),
    pytest.param(messages.OLD, {"until": 10}, id="messages to remove"),
    pytest.param(messages.GIVEN_UP_SINCE, {"since": 10}, id="messages given up"),
    pytest.param(arrivals.FIRST, {}, id="first sign-up"),
    pytest.param(arrivals.COUNT, {"since": 1, "before": 9, "at_most": 5}, id="sign-ups of a span"),
    pytest.param(NEWEST_REQUESTED, {"at_most": 10}, id="requested"),
    pytest.param(REQUEST_WAITING, {"contact": "c99999", "which": "leave"}, id="request that waits"),
    pytest.param(REQUEST_REFUSED, {"contact": "c99999", "which": "leave"}, id="request that was refused"),
]


def explain(
    connection: Connection,
    statement: Any,
    values: dict[str, object],
    *,
    small: bool = True,
    sorts: bool = True,
) -> str:
    """Return the plan, one step a line on SQLite, as JSON on PostgreSQL."""
    dialect = connection.dialect
    if isinstance(statement, dict):
        statement = statement[dialect.name]
    compiled = statement.compile(dialect=dialect)
    parameters: Any = compiled.construct_params(values)
    if compiled.positional:
        parameters = tuple(parameters[name] for name in compiled.positiontup)
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", parameters).all()
        return "\n".join(row[3] for row in rows)
    if small:
        # PostgreSQL reads small tables whole unless that is made expensive; and sorts them, once its own
        # housekeeping has found that they are empty, which on a slow machine it does before the test.
        for step in ("seqscan", "bitmapscan", *(() if sorts else ("sort",))):
            connection.exec_driver_sql(f"SET LOCAL enable_{step} = off")
    return json.dumps(connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", parameters).scalar())


def assert_no_scan_and_no_sort(plan: str) -> None:
    assert "TEMP B-TREE" not in plan
    assert "Seq Scan" not in plan
    assert '"Node Type": "Sort"' not in plan
    for step in plan.splitlines():
        if step.startswith("SCAN"):
            # anon_…: the few rows of a subquery with a limit.
            assert "CONSTANT ROW" in step or "INDEX ix_" in step or step.startswith("SCAN anon_"), plan


@pytest.mark.parametrize(("statement", "values"), STATEMENTS)
def test_no_scan_and_no_sort(database: Database, statement: Any, values: dict[str, object]) -> None:
    """Each step searches an index, or walks one whose condition leaves out the finished rows."""
    with database.transaction() as connection:
        assert_no_scan_and_no_sort(explain(connection, statement, values, sorts=False))


# Of 100,000 sign-ups, one a millisecond, the first half is delivered; every tenth of the others is parked.
FILL = (
    "INSERT INTO signups (id, received_at, contact_key, email, person, list_ids, asked_by)"
    " SELECT 's' || i, i, 'c' || i, '', '{}', '[]', 'form' FROM (NUMBERS) AS numbers",
    "INSERT INTO deliveries"
    " (source_id, received_at, contact_key, kind, payload, state, due_at, finished_at, fence, attempts)"
    " SELECT 's' || i, i, 'c' || i, 'sign_up', '[]',"
    " CASE WHEN i <= 50000 THEN 'delivered' WHEN i / 10 * 10 = i THEN 'parked' ELSE 'ready' END,"
    " CASE WHEN i > 50000 AND i / 10 * 10 < i THEN i END, CASE WHEN i <= 50000 THEN i END, 0, 0"
    " FROM (NUMBERS) AS numbers",
    "INSERT INTO attempts (delivery_id, started_at, carried)"
    " SELECT id, received_at, '[]' FROM deliveries WHERE state = 'delivered'",
    "INSERT INTO suspected_signups (id, received_at, reasons, document)"
    " SELECT 'x' || i, i, '[]', '{}' FROM (NUMBERS) AS numbers WHERE i > 90000",
)
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
    " SELECT i FROM n",
    "postgresql": "SELECT i FROM generate_series(1, 100000) AS i",
}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with a backlog of half of its 100,000 sign-ups."""
    if request.param == "postgresql":
        template = request.getfixturevalue("postgresql_template")
        with new_database(request.getfixturevalue("postgresql_url"), template=template) as url:
            yield from filled(url)
        return
    file: Path = tmp_path_factory.mktemp("full") / "app.db"
    shutil.copy(request.getfixturevalue("sqlite_templates")["sqlite-wal"], file)
    yield from filled(f"sqlite:///{file}")


def filled(url: str) -> Iterator[Database]:
    database = Database(url)
    with database.transaction() as connection:
        for statement in FILL:
            connection.exec_driver_sql(statement.replace("NUMBERS", NUMBERS[database.dialect]))
    if database.dialect == "postgresql":  # as autovacuum does; SQLite plans without statistics
        with database.reading() as connection:
            connection.exec_driver_sql("ANALYZE")
    yield database
    database.close()


@pytest.mark.parametrize(("statement", "values"), LOOP)
def test_no_scan_and_no_sort_with_a_long_backlog(
    full: Database, statement: Any, values: dict[str, object]
) -> None:
    """The planners choose the same plans where reading the whole table would be slow."""
    with full.reading() as connection:
        assert_no_scan_and_no_sort(explain(connection, statement, values, small=False))


def test_a_long_backlog_is_counted_no_further_than_it_is_worth(full: Database) -> None:
    """Health probes ask every few seconds; the oldest row and small numbers stay exact."""
    assert Deliveries(full).backlog() == Backlog(pending=10_000, oldest_received_at=50_001, parked=5_000)


def test_believed_of_an_hour_are_found_by_their_time(full: Database) -> None:
    """Grouping sorts what was found, but only that is read."""
    values: dict[str, object] = {"since": 60_000, "before": 60_500, "asker": "form"}
    with full.reading() as connection:
        plan = explain(connection, BY_FORM, values, small=False)
    assert "ix_signups_received_at" in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(
    ("statement", "index"), [(CLAIM, "ix_deliveries_due"), (CLAIM_FRESH, "ix_deliveries_waiting")]
)
def test_claim_uses_the_partial_indexes(full: Database, statement: Any, index: str) -> None:
    """A claim finds its candidates and their contacts' other rows by the indexes made for it."""
    values: dict[str, object] = {"now": NOW, "lease_until": NOW, "since": NOW - 100}
    with full.reading() as connection:
        plan = explain(connection, statement, values, small=False)
    assert index in plan
    assert "ix_deliveries_contact" in plan
