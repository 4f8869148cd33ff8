"""A data folder that cannot be written, under the real server: nobody is thanked, and the cause is told."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox import PRESET_LIST_ID
from tests.end_to_end.processes import Deployment

pytestmark = [
    pytest.mark.durability,
    pytest.mark.skipif(
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "-Urm", "true"], check=False, capture_output=True).returncode != 0,
        reason="needs permission to use unshare",
    ),
]
SOMEBODY_ELSE = 12_345
# What is done in the server's own mount namespace, what the log says, and what /health does.
FULL = "mount -t tmpfs -o size=1m none {data}"
READ_ONLY = "mount --bind {data} {data} && mount -o remount,ro,bind {data}"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    (tmp_path / "data").mkdir(mode=0o700)
    deployment = Deployment(tmp_path, preset_list=PRESET_LIST_ID, SUBSCRIBE_WAIT_SECONDS="0")
    yield deployment
    deployment.stop()


def start_after(deployment: Deployment, command: str) -> None:
    command = command.format(data=deployment.folder / "data")
    server = " ".join(f"'{part}'" for part in deployment.app.command)
    deployment.app.command = ["unshare", "-Urm", "sh", "-c", f"{command} && exec {server}"]
    deployment.app.start()


def log(deployment: Deployment) -> str:
    return "".join(file.read_text() for file in deployment.folder.glob("app*.log"))


def assert_refused(deployment: Deployment) -> str:
    """The sentence that /health gives."""
    answer = deployment.subscribe("ann@example.org")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    health = requests.get(f"{deployment.base}/health", timeout=15)
    assert (health.status_code, health.json()["status"]) == (503, "unavailable")
    return " ".join(health.json()["problems"])


def test_a_disk_without_room(deployment: Deployment) -> None:
    """It says so before a sign-up would be refused halfway."""
    start_after(deployment, FULL)
    assert "the disk is nearly full" in assert_refused(deployment)


def test_a_folder_that_is_read_only(deployment: Deployment) -> None:
    """The server starts, so that a probe can tell; the log names the cause."""
    start_after(deployment, READ_ONLY)
    assert "cannot be written. See the log for the cause." in assert_refused(deployment)
    assert "Read-only file system" in log(deployment)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else(deployment: Deployment) -> None:
    """As after a deployment under another user."""
    os.chown(deployment.folder / "data", SOMEBODY_ELSE, SOMEBODY_ELSE)
    try:
        start_after(deployment, "true")
        assert "cannot be written. See the log for the cause." in assert_refused(deployment)
        assert "Permission denied" in log(deployment)
    finally:
        os.chown(deployment.folder / "data", os.geteuid(), os.getegid())


def test_a_database_file_that_is_read_only(deployment: Deployment) -> None:
    """The folder still takes the spool: people are thanked, and /health says what is the matter."""
    file = deployment.folder / "data" / "subscriber-sync.db"
    deployment.app.start()
    assert deployment.subscribe("ann@example.org").status_code == 202
    deployment.app.stop()
    start_after(deployment, f"mount --bind {file} {file} && mount -o remount,ro,bind {file}")
    assert deployment.subscribe("bob@example.org").status_code == 202
    health = requests.get(f"{deployment.base}/health", timeout=15)
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert "they are kept in a file (1 by now)" in " ".join(health.json()["problems"])
    assert "readonly database" in log(deployment)
