"""The store fails under a running deployment: every thanked visitor is on record afterwards."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import requests

from sandbox import PRESET_LIST_ID
from tests.end_to_end.processes import Deployment, wait_for
from tests.end_to_end.proxy import Proxy
from tests.support.postgresql_server import new_database


def delete(path: Path) -> None:
    path.unlink()


def lose_the_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(4096))


def cut(path: Path) -> None:
    os.truncate(path, 5 * 4096)


def subscribe(deployment: Deployment, count: int, of: str) -> list[str]:
    """The ids that were thanked for."""
    answers = [deployment.subscribe(f"{of}{number}@example.org") for number in range(count)]
    assert {answer.status_code for answer in answers} == {202}
    return [answer.json()["id"] for answer in answers]


def on_record(deployment: Deployment, signup_id: str) -> bool:
    answer = requests.get(f"{deployment.base}/signups/{signup_id}", headers=deployment.by_key, timeout=5)
    return answer.status_code == 200 and answer.json()["status"] == "queued"


def read_back(deployment: Deployment) -> bool:
    problems = " ".join(deployment.health()["problems"])
    return "read back" in problems and "being read" not in problems


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path, preset_list=PRESET_LIST_ID, SUBSCRIBE_WAIT_SECONDS="0")
    deployment.app.start()
    yield deployment
    deployment.stop()


@pytest.mark.parametrize("harm", [delete, lose_the_header, cut])
def test_a_sqlite_file_harmed_in_use(on_sqlite: Deployment, harm: Callable[[Path], None]) -> None:
    """Sign-ups are accepted on; what the old file held comes back, out of it or its copy, and is told.

    A lost header may come back by itself: the other process had it in memory and writes it with its next
    commit.
    """
    before = subscribe(on_sqlite, 10, "before")
    path = on_sqlite.folder / "data" / "subscriber-sync.db"
    harm(path)
    after = subscribe(on_sqlite, 10, "after")
    if harm is not lose_the_header:
        wait_for("the salvage", lambda: read_back(on_sqlite) or None, seconds=20)
    wait_for("the import", lambda: not (path.parent / "spool" / "waiting").exists() or None, seconds=20)
    everybody = before + after
    wait_for("all on record", lambda: all(on_record(on_sqlite, each) for each in everybody), seconds=20)


@pytest.mark.postgresql
def test_postgresql_that_is_away_for_a_while(postgresql_url: str, tmp_path: Path) -> None:
    """The spool takes what comes meanwhile, /health says so, and all of it is imported after."""
    with new_database(postgresql_url) as url, ExitStack() as stack:
        with psycopg.connect(url) as own:
            socket, user, name = f"{own.info.host}/.s.PGSQL.{own.info.port}", own.info.user, own.info.dbname
        if not Path(socket).exists():
            pytest.skip("the server given by TEST_DATABASE_URL has no Unix socket here")
        network = Proxy(socket)
        stack.callback(network.close)
        deployment = Deployment(
            tmp_path,
            preset_list=PRESET_LIST_ID,
            database_url=f"postgresql://{user}@127.0.0.1:{network.port}/{name}?sslmode=disable",
            SUBSCRIBE_WAIT_SECONDS="0",
        )
        deployment.app.start()
        stack.callback(deployment.stop)
        ids = subscribe(deployment, 5, "before")
        network.cut()
        ids += subscribe(deployment, 20, "during")
        health = requests.get(f"{deployment.base}/health", timeout=15)
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        network.mend()
        assert all(on_record(deployment, signup_id) for signup_id in ids)
        with psycopg.connect(url, autocommit=True) as own:
            query = "SELECT count(*), count(DISTINCT id) FROM signups"
            wait_for("the import", lambda: own.execute(query).fetchone() == (25, 25) or None, seconds=30)
            stored = {row[0] for row in own.execute("SELECT id FROM signups")}
        assert stored == set(ids)
