"""Delivery apart from the web processes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import requests

from sandbox import PRESET_LIST_ID
from tests.end_to_end.consent import connect
from tests.end_to_end.processes import ROOT, Deployment, wait_for


@pytest.fixture
def without_threads(tmp_path: Path) -> Iterator[Deployment]:
    """Web processes that only accept."""
    deployment = Deployment(
        tmp_path, preset_list=PRESET_LIST_ID, DELIVERY="off", DRAIN_TOKEN="drain-token-0123456789"
    )
    deployment.start()
    connect(deployment)
    yield deployment
    deployment.stop()


def flask(deployment: Deployment, *command: str) -> subprocess.Popen[str]:
    """Run a command with the deployment's environment."""
    binary = Path(sys.executable).parent / "flask"
    return subprocess.Popen(
        [binary, *command], cwd=ROOT, env=deployment.app.env, text=True, stdout=subprocess.PIPE
    )


def arrived(deployment: Deployment, signup_id: str) -> bool:
    return deployment.status(signup_id) == "subscribed"


def test_a_worker_delivers_what_others_accept_and_ends_on_sigterm(without_threads: Deployment) -> None:
    """A sign-up stored by a web process arrives within seconds; SIGTERM ends the worker with status 0."""
    with flask(without_threads, "worker") as worker:
        try:
            for name in ("ann", "bob"):
                signup_id = without_threads.subscribe(f"{name}@example.org").json()["id"]
                wait_for("the delivery", partial(arrived, without_threads, signup_id), seconds=10)
        finally:
            worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


def test_a_drain_delivers_once_by_command_and_by_request(without_threads: Deployment) -> None:
    """Both deliver what waits, tell the counts and end; a wrong token is refused."""
    assert without_threads.subscribe("ann@example.org").json()["status"] == "queued"
    drained, _ = flask(without_threads, "drain").communicate(timeout=30)
    assert drained.startswith("delivered 1, postponed 0, parked 0, still waiting 0")

    assert without_threads.subscribe("bob@example.org").json()["status"] == "queued"
    url = f"{without_threads.base}/internal/drain"
    assert requests.post(url, headers={"Authorization": "Bearer wrong"}, timeout=30).status_code == 401
    answer = requests.post(url, headers={"Authorization": "Bearer drain-token-0123456789"}, timeout=30)
    assert answer.json() == {"delivered": 1, "postponed": 0, "parked": 0, "pending": 0}
    assert without_threads.contact("bob@example.org")
