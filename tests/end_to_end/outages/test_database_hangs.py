"""The database does not answer, or is being upgraded behind a dump: real processes answer all the same."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from alembic import command
from sqlalchemy import create_engine, make_url

from sandbox import PRESET_LIST_ID
from store.engine.migrate import configuration
from tests.end_to_end.processes import Deployment, wait_for
from tests.support.postgresql_server import new_database

# A second, and a busy machine.
USUAL = 2.0
pytestmark = pytest.mark.postgresql


def timed(url: str, **options: object) -> tuple[float, requests.Response]:
    """How long the answer took, and what it was."""
    began = time.monotonic()
    answer = requests.get(url, timeout=20)
    return time.monotonic() - began, answer


def subscribe(deployment: Deployment, address: str) -> tuple[float, str]:
    """How long the thanks took, and the id."""
    began = time.monotonic()
    answer = deployment.subscribe(address)
    took = time.monotonic() - began
    assert answer.status_code == 202, answer.text
    return took, answer.json()["id"]


def stored(url: str) -> set[str]:
    with psycopg.connect(url, autocommit=True) as own:
        return {row[0] for row in own.execute("SELECT id FROM signups")}


@pytest.fixture
def old_release(postgresql_url: str) -> Iterator[str]:
    """A database of the release before the last migration."""
    with new_database(postgresql_url) as url:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            command.upgrade(configuration(connection), "0005")
        engine.dispose()
        yield url


def test_an_upgrade_behind_a_dump_leaves_nobody_unanswered(old_release: str, tmp_path: Path) -> None:
    """As long as the dump runs, sign-ups go to the spool; when it ends, all of them are in the database."""
    with ExitStack() as stack:
        dump = stack.enter_context(psycopg.connect(old_release))
        # As pg_dump does, at its beginning, and for hours.
        for table in ("signups", "deliveries", "forms", "meta", "connection", "budget"):
            dump.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        deployment = Deployment(
            tmp_path, preset_list=PRESET_LIST_ID, database_url=old_release, SUBSCRIBE_WAIT_SECONDS="0"
        )
        stack.callback(deployment.stop)
        deployment.app.start()
        ids, longest = [], 0.0
        for number in range(20):
            took, signup_id = subscribe(deployment, f"during{number}@example.org")
            longest = max(longest, took)
            ids.append(signup_id)
        assert longest < USUAL
        took, health = timed(f"{deployment.base}/health")
        assert took < USUAL
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert "is being upgraded" in " ".join(health.json()["problems"])
        took, home = timed(f"{deployment.base}/")
        assert (home.status_code, took < USUAL) == (200, True)
        dump.rollback()
        wait_for("the upgrade and the import", lambda: stored(old_release) == set(ids) or None, seconds=40)
        assert deployment.health()["pending"] == 20
        assert "upgraded" not in " ".join(deployment.health()["problems"])


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """The server process of every connection to that database stands still, and so does their parent."""
    with psycopg.connect(url, autocommit=True) as own:
        found = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
        pids = [row[0] for row in own.execute(found, (own.info.backend_pid,))]
        stat = Path(f"/proc/{own.info.backend_pid}/stat").read_text()
    parent = int(stat.rpartition(")")[2].split()[1])
    for pid in (parent, *pids):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (parent, *pids):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="stops processes of the server")
def test_a_server_that_stands_still_holds_up_nobody_for_long(postgresql_url: str, tmp_path: Path) -> None:
    """The first who meet it wait out the limit; then one at a time does, and all others are answered."""
    with new_database(postgresql_url) as url, ExitStack() as stack:
        deployment = Deployment(
            tmp_path, preset_list=PRESET_LIST_ID, database_url=url, SUBSCRIBE_WAIT_SECONDS="0"
        )
        stack.callback(deployment.stop)
        deployment.app.start()
        ids = [subscribe(deployment, "before@example.org")[1]]
        with frozen(url):
            took, home = timed(f"{deployment.base}/")
            assert (home.status_code, took < USUAL) == (200, True)
            took, health = timed(f"{deployment.base}/health")
            assert took < USUAL
            assert (health.status_code, health.json()["status"]) == (200, "degraded")
            assert "has not answered for" in " ".join(health.json()["problems"])
            times = []
            for number in range(30):
                took, signup_id = subscribe(deployment, f"during{number}@example.org")
                times.append(took)
                ids.append(signup_id)
            assert max(times) < 15
            assert sorted(times)[len(times) // 2] < 0.5
            took, health = timed(f"{deployment.base}/health")
            assert took < USUAL
        wait_for("the import", lambda: stored(url) == set(ids) or None, seconds=40)
