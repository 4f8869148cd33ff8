"""The audit: newest first, and never growing without end."""

import pytest
from sqlalchemy import func, insert, select

from store.connection.audit import AuditEntry, AuditLog
from store.engine.database import Database
from store.schema.connection import events as table
from tests.store.conftest import in_threads

DAY = 86_400_000
NOW = 1_000 * DAY


@pytest.fixture
def events(database: Database) -> AuditLog:
    return AuditLog(database)


def test_latest_events_come_first(events: AuditLog) -> None:
    """Events come back newest first, later recorded ones first within a millisecond, at most so many."""
    events.record("connected", now=NOW, detail="Shelter", actor="admin")
    events.record("refreshed", now=NOW + 1)
    events.record("recovered", now=NOW + 1)
    events.record("late", now=NOW - 1)
    assert [event.kind for event in events.recent(10)] == ["recovered", "refreshed", "connected", "late"]
    assert events.recent(3)[1:] == [
        AuditEntry(NOW + 1, "refreshed", None, None),
        AuditEntry(NOW, "connected", "Shelter", "admin"),
    ]


def test_events_are_kept_for_400_days(events: AuditLog) -> None:
    """An event is there until its 400 days are over, and then the next one removes it."""
    events.record("first", now=NOW)
    events.record("second", now=NOW + 400 * DAY - 1)
    assert [event.kind for event in events.recent(10)] == ["second", "first"]
    events.record("third", now=NOW + 400 * DAY)
    assert [event.kind for event in events.recent(10)] == ["third", "second"]


def test_recording_does_not_pay_for_a_long_past(database: Database, events: AuditLog) -> None:
    """Of very many old events each new one removes some, until none is left."""
    with database.transaction() as connection:
        connection.execute(insert(table), [{"at": at, "kind": "old"} for at in range(150)])

    def old() -> int:
        with database.reading() as connection:
            return connection.scalar(select(func.count()).where(table.c.kind == "old")) or 0

    events.record("new", now=NOW)
    assert old() == 50
    events.record("new", now=NOW)
    assert old() == 0
    assert len(events.recent(10)) == 2


def test_events_recorded_at_once_are_all_kept(events: AuditLog) -> None:
    """Eight threads that record at one moment leave eight events."""
    in_threads(8, lambda index: events.record("refreshed", now=NOW, detail=str(index)))
    assert sorted(event.detail or "" for event in events.recent(10)) == list("01234567")
