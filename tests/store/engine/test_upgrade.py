"""From the first schema to today's: nothing is lost, however many start at once, and if it is stopped."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import IntegrityError

from store.connection.audit import AuditEntry, AuditLog
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from store.engine.migrate import HEAD, configuration
from store.engine.sqlite import driver
from store.errors import StoreUnavailable
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.outbox.manage import DeliveryActions
from store.quota.ledger import QuotaLedger
from store.quota.refusals import Refused
from store.schema.columns import metadata
from store.signups.records import SignupFilter, SignupRecords
from store.signups.suspected import SuspectedSignups
from tests.store.conftest import NEVER_CONNECTED, accept, in_processes

# A connection as a release of the first schema stored it, and a row of each kind of table.
FIRST_RELEASE = (
    "UPDATE connection SET state = 'refresh_failing', generation = 7, epoch = 2, access_sealed = 'access',"
    " refresh_sealed = 'refresh', access_expires_at = 900, access_issued_at = 90, scope = 'contact_data',"
    " connected_at = 50, refreshed_at = 100, failures = 3, last_error = '503', next_refresh_at = 400,"
    " lease_owner = 'a', lease_until = 120",
    "UPDATE budget SET used = 9",
    "INSERT INTO meta (key, value) VALUES ('journal_mode', 'truncate'), ('lists', '[1]')",
    "INSERT INTO signups (id, received_at, contact_key, email, person, list_ids, asked_by)"
    " VALUES ('s1', 5, 'ada@example.org', 'ada@example.org', '{}', '[]', 'form')",
    "INSERT INTO deliveries"
    " (signup_id, received_at, contact_key, kind, payload, state, due_at, fence, attempts)"
    " VALUES ('s1', 5, 'ada@example.org', 'sign_up', '{}', 'ready', 5, 0, 0)",
)
UPGRADED = replace(
    NEVER_CONNECTED,
    state="refresh_failing",
    generation=7,
    epoch=2,
    access_sealed="access",
    refresh_sealed="refresh",
    access_expires_at=900,
    access_issued_at=90,
    refresh_issued_at=100,
    refresh_used_at=100,
    scope="contact_data",
    connected_at=50,
    refreshed_at=100,
    failures=3,
    last_error="503",
    next_refresh_at=400,
    lease_owner="a",
    lease_until=120,
)


@pytest.fixture
def first_release(empty_url: str) -> Iterator[Engine]:
    """Return a database of the first schema, at `empty_url`, with rows in it."""
    url = make_url(empty_url)
    if url.get_backend_name() == "sqlite":
        Path(url.database or "").parent.mkdir()
        engine = create_engine(url, module=driver)
    else:
        engine = create_engine(url.set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "0001")
        for statement in FIRST_RELEASE:
            connection.exec_driver_sql(statement)
    engine.dispose()
    yield engine
    engine.dispose()


def change(first_release: Engine, statement: str) -> None:
    """Execute a statement of the first release, or of a person, before the upgrade."""
    with first_release.begin() as connection:
        connection.exec_driver_sql(statement)
    first_release.dispose()


@pytest.mark.usefixtures("first_release")
def test_upgrade_keeps_what_is_stored(empty_url: str, open_database: Callable[[str], Database]) -> None:
    """Connection, sign-ups, quota and documents are there after the upgrade, and the audit begins."""
    database = open_database(empty_url)
    assert OAuthConnections(database).read() == UPGRADED
    assert [signup.id for signup in SignupRecords(database).newest(SignupFilter(), 10)] == ["s1"]
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT used FROM budget").scalar() == 9
        assert connection.exec_driver_sql("SELECT value FROM meta WHERE key = 'lists'").scalar() == "[1]"
        assert connection.exec_driver_sql("SELECT state, due_at FROM deliveries").all() == [("ready", 5)]
    AuditLog(database).record("refreshed", now=1)
    assert AuditLog(database).recent(10) == [AuditEntry(1, "refreshed", None, None)]


@pytest.mark.usefixtures("first_release")
def test_upgrade_leaves_deliveries_to_go_on_with(
    empty_url: str, open_database: Callable[[str], Database]
) -> None:
    """A delivery of the first release is claimed, with the younger ones; the quota is at its defaults."""
    database = open_database(empty_url)
    accept(database, "s2", contact="ada@example.org", at=6)
    claimed = Deliveries(database, monotonic=lambda: 0.0).claim(10)
    assert isinstance(claimed, Claimed)
    assert (claimed.source_id, claimed.alone, claimed.probe) == ("s1", False, False)
    assert [other.payload["signup"] for other in claimed.younger] == ["s2"]
    quota = QuotaLedger(database)
    assert (quota.read().guard_ms, quota.read().probe_until) == (100, None)
    assert len(quota.refused(Refused.of("ada@example.org", 1, "400", ()), control=False).alike) == 1
    assert Deliveries(database).park(claimed, now=20, error="Refused.")
    assert DeliveryActions(database).drop("s1", now=30, note="No wish any more.")


def test_upgrade_counts_the_suspected_ones(
    empty_url: str, first_release: Engine, open_database: Callable[[str], Database]
) -> None:
    """In rows and in bytes of what waits; what was released takes no room of theirs."""
    with first_release.begin() as connection:
        command.upgrade(configuration(connection), "0006")
        connection.exec_driver_sql(
            "INSERT INTO suspected_signups (id, received_at, reasons, document, released_at)"
            " VALUES ('s1', 1, '[]', '{\"é\":1}', NULL), ('s2', 2, '[]', '{}', NULL),"
            " ('s3', 3, '[]', '{}', 4)"
        )
    first_release.dispose()
    room = SuspectedSignups(open_database(empty_url)).room()
    assert (room.rows, room.bytes, room.dropped) == (2, len('{"é":1}'.encode()) + 2, 0)


@pytest.mark.parametrize(
    ("before", "issued_at"),
    [
        ("UPDATE connection SET refreshed_at = connected_at", 50),
        ("UPDATE connection SET refresh_sealed = NULL, connected_at = NULL, refreshed_at = 500", None),
    ],
)
def test_upgrade_dates_the_refresh_token(
    empty_url: str,
    first_release: Engine,
    open_database: Callable[[str], Database],
    before: str,
    issued_at: int | None,
) -> None:
    """A token that came with the consent counts as unused since then; where there is none, none is dated."""
    change(first_release, before)
    row = OAuthConnections(open_database(empty_url)).read()
    assert (row.refresh_issued_at, row.refresh_used_at) == (issued_at, None)


@pytest.mark.usefixtures("first_release")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_four_processes_may_upgrade_at_once(empty_url: str, open_database: Callable[[str], Database]) -> None:
    """All of them come up on the new schema, and nothing is lost."""

    def start() -> None:
        database = Database(empty_url)
        accept(database, f"s{os.getpid()}")
        database.close()

    assert in_processes(4, start) == [0] * 4
    database = open_database(empty_url)
    assert OAuthConnections(database).read() == UPGRADED
    assert len(SignupRecords(database).newest(SignupFilter(), 10)) == 5


def test_upgrade_that_fails_changes_nothing(
    empty_url: str, first_release: Engine, open_database: Callable[[str], Database]
) -> None:
    """An upgrade that stops half-way is rolled back; without the cause of that the next start succeeds."""
    change(first_release, "CREATE TABLE events (id INTEGER)")
    with pytest.raises(StoreUnavailable, match="events"):
        open_database(empty_url).prepare()
    change(first_release, "DROP TABLE events")
    assert OAuthConnections(open_database(empty_url)).read() == UPGRADED


def test_upgrade_ranks_what_is_suspected(
    empty_url: str, first_release: Engine, open_database: Callable[[str], Database]
) -> None:
    """Junk goes last, and each is found by its address; what cannot be read is kept, and found without it."""
    good = json.dumps({"signup": {"contact_key": "ada@example.org", "source": "half \ud800 a letter"}})
    with first_release.begin() as connection:
        command.upgrade(configuration(connection), "0006")
        for number in range(700):
            reasons = '["honeypot"]' if number % 2 else '["address_rate"]'
            connection.execute(
                text(
                    "INSERT INTO suspected_signups (id, received_at, reasons, document)"
                    " VALUES (:id, :at, :reasons, :document)"
                ),
                {"id": f"s{number:03}", "at": number, "reasons": reasons, "document": good},
            )
        connection.exec_driver_sql("UPDATE suspected_signups SET document = 'damaged' WHERE id = 's002'")
    first_release.dispose()
    with open_database(empty_url).reading() as connection:
        counted = connection.exec_driver_sql(
            "SELECT rank, contact_key, count(*) FROM suspected_signups GROUP BY rank, contact_key"
        )
        assert {tuple(row) for row in counted} == {
            (1, "ada@example.org", 349),
            (1, None, 1),
            (2, "ada@example.org", 350),
        }


def test_the_step_back_takes_only_what_the_step_brought(first_release: Engine) -> None:
    """A release of before finds its table as it was."""
    with first_release.begin() as connection:
        command.upgrade(configuration(connection), "0008")
        columns = {column["name"] for column in inspect(connection).get_columns("suspected_signups")}
        command.upgrade(configuration(connection), "0009")
        command.downgrade(configuration(connection), "0008")
        after = inspect(connection)
        assert {column["name"] for column in after.get_columns("suspected_signups")} == columns
        assert not after.has_table("rates")
        command.downgrade(configuration(connection), "0007")
        of_deliveries = {column["name"] for column in inspect(connection).get_columns("deliveries")}
        assert of_deliveries.isdisjoint({"cause"})
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.exec_driver_sql("UPDATE deliveries SET state = 'dropped', due_at = NULL")


def test_the_vendors_sentence_comes_and_goes_with_its_step(first_release: Engine) -> None:
    """What was stored before has none; the step back leaves what the release before knows."""
    with first_release.begin() as connection:
        command.upgrade(configuration(connection), "0010")
        before = {table: columns_of(connection, table) for table in ("deliveries", "attempts")}
        command.upgrade(configuration(connection), "0011")
        for table, columns in before.items():
            assert columns_of(connection, table) == {*columns, "vendor_said"}
        command.downgrade(configuration(connection), "0010")
        assert {table: columns_of(connection, table) for table in before} == before


def columns_of(connection: Connection, table: str) -> set[str]:
    return {column["name"] for column in inspect(connection).get_columns(table)}


def test_who_asked_for_a_delivery_comes_and_goes_with_its_step(first_release: Engine) -> None:
    """A sign-up's stays what it was; others need no sign-up, and the step back loses none of them."""
    other = (
        "INSERT INTO deliveries (source, source_id, received_at, contact_key, kind, payload, state, due_at,"
        " fence, attempts) VALUES ('command', 'c1', 6, 'bob@example.org', 'leave', '{}', 'ready', 6, 0, 0)"
    )
    stray = (
        "INSERT INTO deliveries (signup_id, received_at, contact_key, kind, payload, state, due_at, fence,"
        " attempts) VALUES ('nobody', 6, 'bob@example.org', 'sign_up', '{}', 'ready', 6, 0, 0)"
    )
    with first_release.begin() as connection:
        command.upgrade(configuration(connection), "0012")
        before = columns_of(connection, "deliveries")
        command.upgrade(configuration(connection), "0013")
        assert columns_of(connection, "deliveries") == (before - {"signup_id"}) | {"source", "source_id"}
        connection.exec_driver_sql(other)
        rows = connection.exec_driver_sql("SELECT source, source_id FROM deliveries ORDER BY id")
        assert [tuple(row) for row in rows] == [("signup", "s1"), ("command", "c1")]
        with pytest.raises(RuntimeError, match="1 deliveries were asked for by no sign-up"):
            command.downgrade(configuration(connection), "0012")
        connection.exec_driver_sql("DELETE FROM deliveries WHERE source_id = 'c1'")
        command.downgrade(configuration(connection), "0012")
        assert columns_of(connection, "deliveries") == before
        assert connection.exec_driver_sql("SELECT signup_id FROM deliveries").scalars().all() == ["s1"]
    with first_release.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql(stray)


@pytest.mark.parametrize("version", [f"{number:04}" for number in range(2, int(HEAD))])
def test_a_database_of_each_schema_upgrades(
    version: str, empty_url: str, first_release: Engine, open_database: Callable[[str], Database]
) -> None:
    """Its delivery goes on, and its tables are those of a new database."""
    with first_release.begin() as connection:
        command.upgrade(configuration(connection), version)
    first_release.dispose()
    database = open_database(empty_url)
    claimed = Deliveries(database, monotonic=lambda: 0.0).claim(10)
    assert isinstance(claimed, Claimed)
    assert (claimed.source, claimed.source_id) == ("signup", "s1")
    with database.reading() as connection:
        for table in metadata.sorted_tables:
            assert columns_of(connection, table.name) == set(table.c.keys()), table.name
