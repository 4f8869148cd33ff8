"""PostgreSQL only: TLS, durability, time-outs, poolers."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from store import Claimed, Database, Deliveries, Signups, StoreUnavailable, Wait
from store.postgresql import with_sslmode
from tests.postgresql_server import new_database
from tests.store.conftest import accept


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
    """The URL's word counts; where it has none, only hosts reached without a network go without TLS."""
    assert with_sslmode(make_url(url)).query.get("sslmode") == sslmode


@pytest.mark.postgresql
def test_transaction_is_durable_and_bounded(
    server_url: str, open_database: Callable[[str], Database]
) -> None:
    """Even on a server that trades durability for speed, a commit waits for the disk, and nobody hangs."""
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
    """A server that goes away in the middle means "later", and later works."""
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
    """A late owner's verdict, not committed yet, is neither waited for nor overwritten."""
    database = open_database(server_url)
    deliveries = Deliveries(database)
    accept(database, "s1")
    late = deliveries.claim(1, lease_ms=10)
    assert isinstance(late, Claimed)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'delivered', due_at = NULL")
        assert deliveries.claim(5_000) == Wait(None)
    assert deliveries.backlog().pending == 0
