"""A fresh, migrated database per test, on each engine the product supports."""

import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import psycopg
import pytest
from sqlalchemy import make_url

from store.connection.oauth_connection import ConnectionRow, OAuthConnections
from store.engine.database import Database
from store.quota.ledger import QuotaLedger
from store.quota.state import Wait
from store.schema.columns import metadata
from store.signups.accept import NewSignup, Signups
from tests.support.postgresql_server import new_database

T = TypeVar("T")
ENGINES = ["sqlite-wal", "sqlite-truncate", pytest.param("postgresql", marks=pytest.mark.postgresql)]
EMPTY = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(scope="session")
def postgresql_template(postgresql_url: str) -> Iterator[str]:
    """Yield the name of a migrated database: copying it is cheaper than migrating for each test."""
    with new_database(postgresql_url) as url:
        database = Database(url)
        database.prepare()
        database.close()
        yield str(make_url(url).database)


_WITH_ROWS = ("alembic_version", "budget", "connection", "opt_out_refresh", "suspected_room")
_KEEP_AS_MIGRATED = ";".join(
    ["CREATE SCHEMA migrated", *(f"CREATE TABLE migrated.{name} AS TABLE {name}" for name in _WITH_ROWS)]
)
_AS_MIGRATED = ";".join(
    [
        *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)),
        "DELETE FROM alembic_version",
        *(f"INSERT INTO {name} TABLE migrated.{name}" for name in _WITH_ROWS),
    ]
)


def _always(journal: str, _version: object) -> str:
    return journal


@pytest.fixture(scope="session")
def postgresql_shared(postgresql_url: str, postgresql_template: str) -> Iterator[str]:
    """Yield one migrated database for most tests, emptied before each: creating one takes 0.1 s."""
    with new_database(postgresql_url, template=postgresql_template) as url:
        with psycopg.connect(url) as connection:
            connection.execute(_KEEP_AS_MIGRATED)
        yield url


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a migrated file for each journal mode, closed, so that it may be copied."""
    templates = {}
    for journal in ("wal", "truncate"):
        file = tmp_path_factory.mktemp(journal) / "app.db"
        database = Database(f"sqlite:///{file}", journal_rule=partial(_always, journal))
        database.prepare()
        database.close()
        templates[f"sqlite-{journal}"] = file
    return templates


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a new, migrated database."""
    if request.param == "postgresql":
        shared: str = request.getfixturevalue("postgresql_shared")
        with psycopg.connect(shared) as connection:
            connection.execute(_AS_MIGRATED)
        yield shared
        return
    templates: dict[str, Path] = request.getfixturevalue("sqlite_templates")
    shutil.copy(templates[request.param], tmp_path / "app.db")
    yield f"sqlite:///{tmp_path}/app.db"


@pytest.fixture(params=EMPTY)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL at which a new database may be created."""
    if request.param == "postgresql":
        with new_database(request.getfixturevalue("postgresql_url")) as fresh:
            yield fresh
        return
    yield f"sqlite:///{tmp_path}/new/app.db"


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Return a function that opens databases, which are closed after the test."""
    with ExitStack() as stack:

        def opened(url: str) -> Database:
            database = Database(url, busy_timeout_seconds=5.0)
            stack.callback(database.close)
            return database

        yield opened


@pytest.fixture
def database(url: str, open_database: Callable[[str], Database]) -> Database:
    return open_database(url)


@pytest.fixture
def connections(database: Database) -> OAuthConnections:
    return OAuthConnections(database)


NEVER_CONNECTED = ConnectionRow(
    state="disconnected",
    generation=0,
    epoch=0,
    access_sealed=None,
    refresh_sealed=None,
    access_expires_at=None,
    access_issued_at=None,
    refresh_issued_at=None,
    refresh_used_at=None,
    scope=None,
    fingerprint=None,
    account_id=None,
    account_name=None,
    account_user=None,
    connected_by=None,
    connected_at=None,
    refreshed_at=None,
    failures=0,
    last_error=None,
    next_refresh_at=None,
    outcome_unknown=False,
    lease_owner=None,
    lease_until=None,
    attempt_started_at=None,
    forced_at=None,
    seed_hash=None,
)
CONNECTED = replace(
    NEVER_CONNECTED,
    state="connected",
    generation=1,
    epoch=1,
    access_sealed="access-1",
    refresh_sealed="refresh-1",
    access_expires_at=900,
    access_issued_at=90,
    refresh_issued_at=100,
    scope="contact_data",
    fingerprint="here",
    account_id="a1",
    account_name="Shelter",
    account_user="ada",
    connected_by="admin",
    connected_at=100,
    refreshed_at=100,
)


def connect(connections: OAuthConnections) -> None:
    connections.store_connected(
        access_sealed="access-1",
        refresh_sealed="refresh-1",
        access_issued_at=90,
        access_expires_at=900,
        scope="contact_data",
        now=100,
        fingerprint="here",
        account_id="a1",
        account_name="Shelter",
        account_user="ada",
        connected_by="admin",
    )


def refresh(
    connections: OAuthConnections, *, generation: int, refresh_sealed: str | None = "refresh-2"
) -> bool:
    return connections.store_refreshed(
        generation=generation,
        access_sealed="access-2",
        refresh_sealed=refresh_sealed,
        access_issued_at=190,
        access_expires_at=1_900,
        scope="contact_data",
        now=200,
    )


def signup(name: str, *, contact: str | None = None, at: int = 0) -> NewSignup:
    """Return a sign-up with id `name`; by default of a contact of its own."""
    address = contact or f"{name}@example.org"
    return NewSignup(
        id=name,
        received_at=at,
        contact_key=address,
        email=address,
        person={"first_name": "Ada", "last_name": "Lovelace"},
        list_ids=("list-1", "list-2"),
        source="footer",
        consent="v1",
        page="https://example.org/",
        network_address="192.0.2.1",
        user_agent="test",
        asked_by="form",
    )


def accept(
    database: Database,
    name: str,
    *,
    contact: str | None = None,
    at: int = 0,
    signups: Signups | None = None,
) -> None:
    """Store a sign-up and its delivery."""
    (signups or Signups(database)).accept(
        signup(name, contact=contact, at=at), kind="sign_up", payload={"signup": name, "nested": [1]}
    )


def in_threads(count: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(index)` in threads that start together."""
    barrier = Barrier(count)

    def start(index: int) -> T:
        barrier.wait()
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def in_processes(count: int, work: Callable[[], None]) -> list[int]:
    """Run `work` in forked processes that start together; return their exit codes."""
    gate_out, gate_in = os.pipe()
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            os.close(gate_in)
            os.read(gate_out, 1)  # returns when the parent closes its end
            code = 1
            try:
                work()
                code = 0
            except BaseException:  # noqa: BLE001 - a forked child must not run on into pytest
                traceback.print_exc(file=sys.stderr)
            finally:
                os._exit(code)
        children.append(child)
    os.close(gate_in)
    os.close(gate_out)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def opening(quota: QuotaLedger, now: int, *, own_probe: bool = False) -> int | None:
    """Return None when a call was booked for `now` itself, else when to ask again."""
    booked = quota.reserve(now, own_probe=own_probe)
    if isinstance(booked, Wait):
        return booked.until
    assert booked >= now
    return None
