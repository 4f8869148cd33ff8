"""PostgreSQL only: TLS, durability, time-outs, poolers."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import LiteralString

import psycopg
import pytest
from sqlalchemy import make_url

from store.engine.database import Database
from store.engine.postgresql.backend import durability_problem, with_sslmode
from store.errors import OverLimit, StoreMisconfigured, StoreUnavailable
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.quota.state import Wait
from store.signups.accept import Signups
from store.signups.batch import Judgement, OneTimeUse
from store.signups.rate_limits import Limit
from store.signups.suspected import SuspectedSignups
from store.upkeep.retention import Retention
from tests.store.conftest import accept, signup
from tests.store.lost_answers import losing_proxy
from tests.support.postgresql_server import new_database


@pytest.fixture
def server_url(postgresql_url: str, postgresql_template: str) -> Iterator[str]:
    with new_database(postgresql_url, template=postgresql_template) as url:
        yield url


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("postgresql://u:p@db.example.org/app", "require"),
        ("postgresql://u:p@db.example.org/app?sslmode=verify-full", "verify-full"),
        ("postgresql://u:p@db.example.org/app?sslmode=disable", "disable"),
        ("postgresql://u:p@helium/heliumdb", None),
        ("postgresql://u:p@db/app", None),
        ("postgresql://u:p@localhost/app", None),
        ("postgresql://u:p@127.0.0.1:5433/app", None),
        ("postgresql:///app", None),
        ("postgresql:///app?host=/run/postgresql", None),
        ("postgresql:///app?host=db.example.org", "require"),
    ],
)
def test_tls_over_public_networks(url: str, sslmode: str | None) -> None:
    """The URL decides; where it does not say, only hosts in no public network are used without TLS."""
    assert with_sslmode(make_url(url)).query.get("sslmode") == sslmode


@pytest.mark.postgresql
def test_transaction_is_durable_and_bounded(
    server_url: str, open_database: Callable[[str], Database]
) -> None:
    """A commit waits for the disk even with synchronous_commit off on the server, and no statement hangs."""
    name = make_url(server_url).database
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    settings = ("synchronous_commit", "statement_timeout", "lock_timeout", "transaction_isolation")
    with open_database(server_url).transaction() as connection:
        found = [connection.exec_driver_sql(f"SHOW {setting}").scalar() for setting in settings]
    assert found == ["on", "5s", "2s", "read committed"]


@pytest.mark.postgresql
def test_settings_end_with_the_transaction(server_url: str, open_database: Callable[[str], Database]) -> None:
    """Behind a pooler nothing leaks into another client's session, and no statement stays prepared."""
    database = open_database(server_url)
    database.probe()
    for _ in range(10):
        Signups(database).find("unknown")
    with database.reading() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar() == 0


@pytest.mark.postgresql
def test_reads_leave_no_transaction_open(server_url: str, open_database: Callable[[str], Database]) -> None:
    """Between the reads of one block the server sees an idle session, not an idle transaction."""
    with open_database(server_url).reading() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with psycopg.connect(server_url) as other:
            state = other.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone()
    assert state == ("idle",)


@pytest.mark.postgresql
def test_dropped_connections_are_replaced(server_url: str, open_database: Callable[[str], Database]) -> None:
    """A server that suspended or restarted costs no request: the next use connects anew."""
    database = open_database(server_url)
    database.probe()
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    database.probe()


@pytest.mark.postgresql
def test_connection_lost_in_a_transaction_is_unavailable(
    server_url: str, open_database: Callable[[str], Database]
) -> None:
    """A server that ends in the middle raises StoreUnavailable, and the next use works."""
    database = open_database(server_url)

    def interrupted() -> None:
        with database.transaction() as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            with psycopg.connect(server_url, autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(StoreUnavailable):
        interrupted()
    database.probe()


@pytest.mark.postgresql
def test_row_that_is_being_finished_is_not_claimed(
    server_url: str, open_database: Callable[[str], Database]
) -> None:
    """A finish by a late owner, not committed yet, is neither waited for nor overwritten."""
    database = open_database(server_url)
    deliveries = Deliveries(database)
    accept(database, "s1")
    late = deliveries.claim(1, lease_ms=10)
    assert isinstance(late, Claimed)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'delivered', due_at = NULL")
        assert deliveries.claim(5_000) == Wait(None)
    assert deliveries.backlog().pending == 0


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}, None),
        ({"fsync": "off"}, "ALTER SYSTEM SET fsync = on"),
        ({"full_page_writes": "off"}, "ALTER SYSTEM SET full_page_writes = on"),
        ({"synchronous_commit": "off"}, "synchronous_commit = off"),
        ({}, None),
        ({"fsync": "off", "neon.timeline_id": "5e1d"}, None),
        ({"full_page_writes": "off", "aurora": "on"}, None),
    ],
)
def test_settings_that_lose_rows_are_named(settings: dict[str, str], problem: str | None) -> None:
    """An ordinary server must sync; a host that hides the settings or has its own storage is trusted."""
    found = durability_problem(settings)
    assert problem in found if problem and found else found is None and problem is None


@pytest.mark.postgresql
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="changes the server, which others may share")
def test_server_that_loses_acknowledged_rows_is_refused(
    server_url: str, open_database: Callable[[str], Database]
) -> None:
    """At the start, before anything is stored."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        try:
            reload(admin, "ALTER SYSTEM SET fsync = off", until="off")
            with pytest.raises(StoreMisconfigured, match="fsync = off"):
                open_database(server_url).prepare()
        finally:
            reload(admin, "ALTER SYSTEM RESET fsync", until="on")
    open_database(server_url).prepare()


@pytest.mark.postgresql
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_is_refused(
    server_url: str, open_database: Callable[[str], Database], encoding: str
) -> None:
    """At the start, with the cure, before a name is stored that cannot be read again."""
    name = f"test_{encoding.lower()}"
    create = f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(create)
        try:
            url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
            with pytest.raises(StoreMisconfigured, match=f"encoding {encoding}.*ENCODING 'UTF8'"):
                open_database(url).prepare()
            with psycopg.connect(url) as empty:
                found = empty.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
                assert found.fetchone() == (0,)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def reload(admin: psycopg.Connection[tuple[str]], change: LiteralString, *, until: str) -> None:
    """Change the server's fsync and wait until new sessions see it."""
    admin.execute(change)
    admin.execute("SELECT pg_reload_conf()")
    for _ in range(500):
        with psycopg.connect(admin.info.dsn) as fresh:
            if fresh.execute("SHOW fsync").fetchone() == (until,):
                return
        Event().wait(0.01)
    raise AssertionError("the server did not reload")


@pytest.mark.postgresql
@pytest.mark.parametrize(("lost", "stored"), [("after", True), ("before", False)])
def test_sign_up_whose_commit_was_not_answered_is_looked_up(
    server_url: str, open_database: Callable[[str], Database], lost: str, stored: bool
) -> None:
    """It is accepted exactly when it is stored: no visitor tries again in vain, none is lost."""
    with losing_proxy(server_url) as proxy:
        database = open_database(proxy.url)
        accept(database, "before")
        proxy.lose_commit = lost
        if stored:
            accept(database, "s1")
        else:
            with pytest.raises(StoreUnavailable):
                accept(database, "s1")
        assert proxy.lose_commit is None
        assert (Signups(database).find("s1") is not None) is stored
        database.close()


@pytest.mark.postgresql
def test_a_suspected_one_whose_commit_was_not_answered_is_looked_up(
    server_url: str, open_database: Callable[[str], Database]
) -> None:
    """It is looked up among the suspected: spooled as an ordinary sign-up it would be sent."""
    with losing_proxy(server_url) as proxy:
        database = open_database(proxy.url)
        accept(database, "before")
        proxy.lose_commit = "after"
        signups, over = Signups(database), [Limit("address", "a", 0)]
        with pytest.raises(OverLimit):
            signups.accept(signup("flood"), kind="sign_up", payload={}, judgement=Judgement(limits=over))
        proxy.lose_commit = "after"
        kept = signups.accept(
            signup("s1"), kind="sign_up", payload={}, judgement=Judgement(broken=("honeypot",))
        )
        assert kept == ("honeypot",)
        assert SuspectedSignups(database).find("s1") is not None
        database.close()


class Gate:
    """Stops the first transaction that stores, so that sign-ups that come meanwhile share the second."""

    def __init__(self, second: Callable[[], None]) -> None:
        """`second` is called when the second transaction has begun."""
        self.reached, self.open = Event(), Event()
        self.transactions = 0
        self._second = second

    def __call__(self) -> bool:
        self.transactions += 1
        self.reached.set()
        assert self.open.wait(20)
        if self.transactions == 2:
            self._second()
        return False


def store_together(
    database: Database, names: Sequence[str], second: Callable[[], None] = lambda: None
) -> tuple[list[BaseException | None], int]:
    """Store each from its own thread, all in one transaction; return the errors and the transactions."""
    gate = Gate(second)
    signups = Signups(database, spooled=gate)

    def store(name: str) -> None:
        once = OneTimeUse("used_proof", f"token of {name}", 2**50)
        assert signups.accept(signup(name), kind="sign_up", payload={}, judgement=Judgement(once=once)) == ()

    with ThreadPoolExecutor(len(names) + 1) as pool:
        pool.submit(store, f"before {names[0]}")
        assert gate.reached.wait(10)
        futures = []
        for count, name in enumerate(names, start=2):
            futures.append(pool.submit(store, name))
            end = time.monotonic() + 10
            while len(signups._together._queue) < count:
                assert time.monotonic() < end
                time.sleep(0.001)
        gate.open.set()
    return [future.exception() for future in futures], gate.transactions - 1


@pytest.mark.postgresql
def test_sign_ups_that_come_together_share_a_transaction(
    server_url: str, open_database: Callable[[str], Database]
) -> None:
    """A sign-up that the server refuses does not hinder the others, which are then stored one by one."""
    database = open_database(server_url)
    assert store_together(database, ["s1", "s2", "s3"]) == ([None] * 3, 1)
    (fourth, refused, fifth), transactions = store_together(database, ["s4", "no\0text", "s5"])
    assert (fourth, fifth, transactions) == (None, None, 4)
    assert isinstance(refused, StoreUnavailable)
    assert [Signups(database).find(name) is not None for name in ("s4", "s5")] == [True, True]


@pytest.mark.postgresql
@pytest.mark.parametrize(("lost", "stored"), [("after", True), ("before", False)])
def test_sign_ups_whose_common_commit_was_not_answered_are_looked_up(
    server_url: str, open_database: Callable[[str], Database], lost: str, stored: bool
) -> None:
    """Stored a second time, each would count as a spent proof of work, and be suspected as well."""
    with losing_proxy(server_url) as proxy:
        database, names = open_database(proxy.url), ["s1", "s2", "s3"]
        errors, transactions = store_together(database, names, lambda: setattr(proxy, "lose_commit", lost))
        assert proxy.lose_commit is None
        assert [error is None for error in errors] == [stored] * 3
        assert [Signups(database).find(name) is not None for name in names] == [stored] * 3
        assert (SuspectedSignups(database).counts().total, transactions) == (0, 1)
        database.close()


@pytest.mark.postgresql
def test_dead_rows_are_cleared_away_soon(server_url: str) -> None:
    """Every delivery leaves some: autovacuum must not wait until they are a fifth of all rows."""
    with psycopg.connect(server_url) as connection:
        (options,) = connection.execute(
            "SELECT reloptions FROM pg_class WHERE oid = 'deliveries'::regclass"
        ).fetchone() or ([],)
    assert "autovacuum_vacuum_scale_factor=0.02" in options


@pytest.mark.postgresql
def test_two_processes_may_forget_at_once(server_url: str, open_database: Callable[[str], Database]) -> None:
    """Each skips the rows that the other has locked, instead of waiting."""
    database = open_database(server_url)
    accept(database, "s1")
    deliveries = Deliveries(database, monotonic=lambda: 0.0)
    claimed = deliveries.claim(1)
    assert isinstance(claimed, Claimed)
    deliveries.delivered(claimed, now=2, contact_id="c", action="created")
    retention, later = Retention(database), 31 * 86_400_000
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET action = action")
        assert retention.prune(later) == 1
    assert retention.prune(later) == 1
