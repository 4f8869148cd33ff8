"""No query of the delivery loop may read the whole table or sort: it holds every sign-up there ever was."""

import json
from typing import Any

import pytest
from sqlalchemy import Connection

from store import Database
from store.claims import CLAIM, CLAIM_FRESH, NEXT_DUE, NEXT_FRESH, YOUNGER
from store.deliveries import BACKLOG
from store.events import RECENT
from store.signups import _FIND, _RECENT

STATEMENTS = [
    pytest.param(CLAIM, {"now": 1, "lease_until": 2}, id="claim"),
    pytest.param(CLAIM_FRESH, {"now": 1, "lease_until": 2, "since": 0}, id="claim fresh"),
    pytest.param(YOUNGER, {"contact": "ada@example.org", "leader": 1}, id="younger"),
    pytest.param(NEXT_FRESH, {"now": 1, "since": 0}, id="next fresh"),
    pytest.param(NEXT_DUE, {"now": 1}, id="next due"),
    pytest.param(BACKLOG, {}, id="backlog"),
    pytest.param(_FIND, {"signup_id": "s1"}, id="find"),
    pytest.param(_RECENT, {"at_most": 10}, id="recent"),
    pytest.param(RECENT, {"at_most": 10}, id="recent events"),
]


def explain(connection: Connection, statement: Any, values: dict[str, object]) -> str:
    """The plan, one step a line on SQLite, as JSON on PostgreSQL."""
    dialect = connection.dialect
    if isinstance(statement, dict):
        statement = statement[dialect.name]
    compiled = statement.compile(dialect=dialect)
    parameters: Any = compiled.construct_params(values)
    if compiled.positional:
        parameters = tuple(parameters[name] for name in compiled.positiontup)
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", parameters).all()
        return "\n".join(row[3] for row in rows)
    # Tables this small are read whole unless that is made expensive.
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    return json.dumps(connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", parameters).scalar())


@pytest.mark.parametrize(("statement", "values"), STATEMENTS)
def test_no_scan_and_no_sort(database: Database, statement: Any, values: dict[str, object]) -> None:
    """Each step searches an index, or walks one whose condition leaves out the finished rows."""
    with database.transaction() as connection:
        plan = explain(connection, statement, values)
    assert "TEMP B-TREE" not in plan
    assert "Seq Scan" not in plan
    assert '"Node Type": "Sort"' not in plan
    for step in plan.splitlines():
        if step.startswith("SCAN"):
            assert "CONSTANT ROW" in step or "INDEX ix_" in step, plan


def test_claim_uses_the_partial_indexes(database: Database) -> None:
    """The claim finds due rows and a contact's other rows by the two indexes made for it."""
    with database.transaction() as connection:
        plan = explain(connection, CLAIM, {"now": 1, "lease_until": 2})
    assert "ix_deliveries_due" in plan
    assert "ix_deliveries_contact" in plan
