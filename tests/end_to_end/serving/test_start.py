"""Starting, with nothing, with too little, and twice."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from settings.environment import SECRETS_FOR_PRODUCTION
from tests.end_to_end.processes import ROOT, Deployment, Process, wait_for
from tests.support.ports import free_port

GUNICORN = Path(sys.executable).parent / "gunicorn"


def test_production_without_secrets_ends_with_one_message() -> None:
    """It names every missing variable once, without a traceback, and does not start again and again."""
    ended = subprocess.run(
        [GUNICORN, "app:create_app()"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "APP_ENV": "production"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    for name in SECRETS_FOR_PRODUCTION:
        assert ended.stderr.count(f"{name} is missing") == 1


def test_development_starts_with_nothing_and_keeps_the_sandbox_in_one_process(tmp_path: Path) -> None:
    """Whatever number of workers is asked for, a consent in the sandbox is known to who exchanges it."""
    port = free_port()
    app = Process(
        "the app",
        [GUNICORN, "--workers", "3", "app:create_app()"],
        env={"DATA_DIR": str(tmp_path / "data"), "PORT": str(port)},
        url=f"http://127.0.0.1:{port}/",
        log=tmp_path / "app.log",
    )
    app.start()
    try:
        workers = Path(f"/proc/{app.pid}/task/{app.pid}/children").read_text().split()
        assert len(workers) == 1
        state = requests.get(f"http://127.0.0.1:{port}/sandbox/_sandbox/state", timeout=5).json()
        assert [entry["name"] for entry in state["lists"]] == ["Newsletter", "Events", "Volunteers"]
        assert app.stop() == 0
    finally:
        if app.running:
            app.stop()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_each_worker_keeps_to_a_cpu_of_its_own(deployment: Deployment) -> None:
    """All its threads do, and those of a worker that takes the place of another."""
    master = deployment.app.pid
    wait_for("two workers on a CPU each", lambda: places(master) == 2)
    for _ in range(2):
        gone = workers(master)[-1]
        os.kill(gone, signal.SIGKILL)
        wait_for("another one", lambda: gone not in workers(master) and places(master) == 2)  # noqa: B023 - at once
    assert os.sched_getaffinity(master) == os.sched_getaffinity(0)


def workers(master: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def places(master: int) -> int:
    """On how many CPUs two workers are, each with all its threads on a single one; else 0."""
    used = []
    with suppress(FileNotFoundError, ProcessLookupError):  # one ended while we looked
        for worker in workers(master):
            threads = [int(thread.name) for thread in Path(f"/proc/{worker}/task").iterdir()]
            used.append({cpu for thread in threads for cpu in os.sched_getaffinity(thread)})
    return len(set[int]().union(*used)) if [len(cpus) for cpus in used] == [1, 1] else 0


def test_the_link_of_the_first_run_signs_in_once(tmp_path: Path) -> None:
    """`flask sign-in-link --welcome` prints where to click; its link opens the dashboard once."""
    port = free_port()
    env = {"DATA_DIR": str(tmp_path / "data"), "PORT": str(port), "PATH": os.environ["PATH"]}
    app = Process(
        "the app",
        [GUNICORN, "app:create_app()"],
        env=env,
        url=f"http://127.0.0.1:{port}/",
        log=tmp_path / "app.log",
    )
    printed = subprocess.run(
        [GUNICORN.with_name("flask"), "sign-in-link", "--welcome"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    assert f"http://127.0.0.1:{port}/sandbox/" in printed
    link = next(word for word in printed.split() if "/admin/sign-in/" in word)
    app.start()
    try:
        with requests.Session() as browser:
            found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(link, timeout=10).text)
            assert found is not None
            answer = browser.post(link, data={"csrf_token": found[1]}, timeout=10)
            assert answer.url == f"http://127.0.0.1:{port}/admin/"
        assert requests.get(link, timeout=10).status_code == 401
        assert link.rsplit("/", 1)[1] not in app.log.read_text()
    finally:
        app.stop()
