"""Servers that end, restart or fork in the middle of a refresh: no pair of tokens is lost."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from oauth.encryption import TokenCipher
from sandbox import PRESET_LIST_ID, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from tests.end_to_end.processes import Deployment, wait_for
from tests.oauth.processes.members import fingerprint
from tests.support.postgresql_server import new_database

AUTH_PATH = "/oauth2/default/v1"
CALLBACK = "https://app.test/oauth/callback"
ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture
def seeded(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment, not yet started, that refreshes as soon as it is; the vendor takes 3 s for that."""
    deployment = Deployment(tmp_path, preset_list=PRESET_LIST_ID)
    yield from prepared(deployment)


@pytest.fixture(params=ENGINES)
def seeded_on_each_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    if request.param == "sqlite":
        yield from prepared(Deployment(tmp_path, preset_list=PRESET_LIST_ID))
        return
    with new_database(request.getfixturevalue("postgresql_url")) as url:
        yield from prepared(Deployment(tmp_path, preset_list=PRESET_LIST_ID, database_url=url))


def prepared(deployment: Deployment) -> Iterator[Deployment]:
    deployment.sandbox.start()
    order(deployment, "settings", {"grace_seconds": 0})
    deployment.app.env["CONSTANT_CONTACT_REFRESH_TOKEN"] = consented(deployment)
    slow = {"match": {"path": f"{AUTH_PATH}/token"}, "times": 1, "fault": {"delay": 3}}
    order(deployment, "faults", slow)
    yield deployment
    for process in (deployment.app, deployment.sandbox):
        if process.running:
            process.kill_all()


def order(deployment: Deployment, name: str, document: dict[str, Any]) -> None:
    requests.post(f"{deployment.sandbox_base}/_sandbox/{name}", json=document, timeout=5).raise_for_status()


def consented(deployment: Deployment) -> str:
    """The refresh token of a consent given elsewhere."""
    server = f"{deployment.sandbox_base}{AUTH_PATH}"
    asked = {"client_id": SANDBOX_CLIENT_ID, "redirect_uri": CALLBACK, "response_type": "code"}
    asked["scope"] = "contact_data account_read offline_access"
    back = requests.post(
        f"{server}/authorize", params=asked, data={"decision": "allow"}, allow_redirects=False, timeout=5
    )
    code = parse_qs(urlsplit(back.headers["Location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    client = (SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET)
    token: str = requests.post(f"{server}/token", data=form, auth=client, timeout=5).json()["refresh_token"]
    return token


def serve(deployment: Deployment, *options: object) -> None:
    """Start gunicorn with these options instead of its two workers, and wait for the refresh to begin."""
    command = deployment.app.command
    where = command.index("--workers")
    deployment.app.command = [*command[:where], *options, *command[where + 2 :]]
    deployment.app.start()
    wait_for("the refresh", lambda: refreshes(deployment))


def refreshes(deployment: Deployment) -> list[dict[str, Any]]:
    """The calls that sent a refresh token, answered or under way."""
    log = requests.get(f"{deployment.sandbox_base}/_sandbox/requests", timeout=5).json()["requests"]
    return [call for call in log if call["path"].endswith("/token") and "refresh_token" in call["body"]]


def check_that_the_newest_pair_is_stored(deployment: Deployment) -> None:
    """Exactly one refresh was made, and what the vendor gave for it stands in the database."""
    url = deployment.app.env["DATABASE_URL"] or f"sqlite:///{deployment.folder}/data/subscriber-sync.db"
    database = Database(url)
    row = OAuthConnections(database).read()
    database.close()
    stored = TokenCipher([deployment.encryption_key]).unseal(row.refresh_sealed or "")
    assert row.state == "connected"
    assert [call["answer"]["refresh_token"] for call in refreshes(deployment)] == [fingerprint(stored)]
    assert deployment.sandbox_state()["counters"]["reuse_revocations"] == 0


def test_a_stop_in_the_middle_of_a_refresh_keeps_its_tokens(seeded: Deployment) -> None:
    """SIGTERM: gunicorn ends within its graceful time; after the next start sign-ups are delivered."""
    serve(seeded, "--workers", 2)
    assert refreshes(seeded)[0]["status"] is None, "the refresh is to be under way"
    began = time.monotonic()
    assert seeded.app.stop() == 0
    assert time.monotonic() - began < 30
    check_that_the_newest_pair_is_stored(seeded)
    seeded.app.start()
    signup_id = seeded.subscribe("ann@example.org").json()["id"]
    wait_for("the delivery", lambda: seeded.status(signup_id) == "subscribed")


def test_workers_that_are_renewed_in_the_middle_of_a_refresh_keep_its_tokens(seeded: Deployment) -> None:
    """--max-requests ends worker after worker while the vendor takes its time."""
    serve(seeded, "--workers", 2, "--max-requests", 3)
    before = workers(seeded)
    assert refreshes(seeded)[0]["status"] is None, "the refresh is to be under way"

    def renewed() -> bool:
        requests.get(f"{seeded.base}/", timeout=10).raise_for_status()
        return not workers(seeded) & before

    wait_for("the renewal of both workers", renewed)
    check_that_the_newest_pair_is_stored(seeded)
    wait_for("the connection", lambda: seeded.health()["connection"] == "connected")


def workers(deployment: Deployment) -> set[str]:
    pid = deployment.app.pid
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_a_fork_while_locks_are_held_stops_nobody(seeded_on_each_engine: Deployment) -> None:
    """--preload, 3 workers of 4 threads; the parent refreshes and has the turn to write while it forks."""
    deployment = seeded_on_each_engine
    deployment.app.command = [
        "tests.end_to_end.preloaded:app" if part == "app:create_app()" else part
        for part in deployment.app.command
    ]
    serve(deployment, "--preload", "--workers", 3, "--threads", 4)
    found: dict[int, list[str]] = {}

    def all_answered() -> bool:
        answer = requests.get(f"{deployment.base}/threads", timeout=10).json()
        found[answer["pid"]] = answer["threads"]
        return len(found) == 3

    wait_for("an answer of each worker", all_answered)
    assert all("token-care" in threads for threads in found.values())
    assert "token-care" not in json.loads((deployment.folder / "data" / "parent.json").read_text())

    addresses = [f"a{number}@example.org" for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(deployment.subscribe, addresses))
    assert {answer.status_code for answer in answers} <= {201, 202}
    wait_for("the deliveries", lambda: deployment.health()["pending"] == 0, seconds=30)
    check_that_the_newest_pair_is_stored(deployment)
    # A worker whose token care hangs on a lock of the parent's would wait 30 s for it.
    began = time.monotonic()
    assert deployment.app.stop() == 0
    assert time.monotonic() - began < 25
