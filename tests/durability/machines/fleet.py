"""Real processes that a supervisor restarts when a scenario kills them, and that share a clock."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from sandbox import PRESET_LIST_ID
from tests.durability.machines.clock import Clock
from tests.end_to_end.consent import connect
from tests.end_to_end.processes import ROOT, Deployment, wait_for
from tests.support.ports import free_port

LISTS = (
    PRESET_LIST_ID,
    "22222222-2222-4222-8222-222222222222",
    "33333333-3333-4333-8333-333333333333",
)
SIGN_UP = "/v3/contacts/sign_up_form"
_LOOK_SECONDS = 0.05


class Supervised:
    """One process that is started again whenever it has ended, as systemd or a container would do."""

    def __init__(self, command: Sequence[object], env: Mapping[str, str], log: Path) -> None:
        self.command, self.env, self.log = [str(part) for part in command], dict(env), log
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    def keep_alive(self) -> None:
        """Start the process unless it runs."""
        if self._process is None or self._process.poll() is not None:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self.command, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
                )
            self.starts += 1

    @property
    def pid(self) -> int:
        """The process's id, as last started."""
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        """Return the ids of the process's workers."""
        with suppress(OSError):
            return [
                int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            ]
        return []

    def signal_all(self, how: int) -> None:
        """Signal the process and its workers."""
        for pid in (*self.children(), self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, how)

    def wait(self) -> None:
        """Wait for the end of the process, without asking for it."""
        assert self._process is not None
        self._process.wait(40)

    def end(self) -> None:
        """Send SIGTERM, and wait for the end."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(40)

    def kill(self) -> None:
        """Kill the process and its workers, frozen ones too."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)


class Fleet:
    """The sandbox, some gunicorns with two web workers each, and some `flask worker`s, over one database."""

    def __init__(
        self,
        folder: Path,
        *,
        instances: int = 1,
        workers: int = 0,
        database_url: str = "",
        clock: Clock | None = None,
        vendor_clock: Clock | None = None,
        **environ: str,
    ) -> None:
        """`clock` is the time of all processes but the sandbox, `vendor_clock` the sandbox's."""
        environ = {
            "PUBLIC_LIST_IDS": ",".join(LISTS),
            # More people sign up, all without a form, than the vendor takes in a day: its limit is tested,
            # not ours.
            "ANONYMOUS_SHARE_OF_DAY": "100",
            **(clock.environ if clock else {}),
            **environ,
        }
        self.deployment = Deployment(folder, preset_list=PRESET_LIST_ID, database_url=database_url, **environ)
        self.deployment.sandbox.env |= vendor_clock.environ if vendor_clock else {}
        app = self.deployment.app
        self.bases = [self.deployment.base]
        self.webs = [Supervised(app.command, app.env, folder / "app.log")]
        for number in range(1, instances):
            port = free_port()
            command = [
                f"127.0.0.1:{port}" if str(part).startswith("127.0.0.1:") else part for part in app.command
            ]
            self.bases.append(f"http://127.0.0.1:{port}")
            self.webs.append(Supervised(command, app.env, folder / f"app-{number}.log"))
        flask = Path(sys.executable).parent / "flask"
        self.workers = [
            Supervised([flask, "worker"], app.env, folder / f"worker-{number}.log")
            for number in range(workers)
        ]
        self.store_url = database_url or f"sqlite:///{folder / 'data' / 'subscriber-sync.db'}"
        self.sandbox_start_seconds = 0.0
        self._ended = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def start(self, *, connected: bool = True, settings: Mapping[str, Any] | None = None) -> "Fleet":
        """Start everything and connect; `settings` are the sandbox's."""
        try:
            self._start(connected, settings or {})
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self, connected: bool, settings: Mapping[str, Any]) -> None:
        began = time.monotonic()
        self.deployment.sandbox.start()
        self.sandbox_start_seconds = time.monotonic() - began
        if settings:
            self.control("settings", settings)
        for web in self.webs:
            web.keep_alive()
        for base in self.bases:
            wait_for(f"an answer of {base}", lambda base=base: _answers(base), seconds=60)  # type: ignore[misc]
        if connected:
            connect(self.deployment)
        for worker in self.workers:
            worker.keep_alive()
        self._supervisor.start()

    def leave_alone(self) -> None:
        """End the supervisor: no process is started again from now on."""
        self._ended.set()
        if self._supervisor.is_alive():
            self._supervisor.join()

    def stop(self) -> None:
        """Kill all processes."""
        self.leave_alone()
        for process in (*self.workers, *self.webs):
            process.kill()
        if self.deployment.sandbox.running:
            self.deployment.sandbox.stop(signal.SIGKILL)

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kill_one(self, chance: random.Random) -> str:
        """Kill a web worker (6 of 10), a `flask worker` (3) or a master (1); return which, "" for none."""
        kind = chance.choices(("web worker", "flask worker", "gunicorn master"), (6, 3, 1))[0]
        victims = {
            "web worker": [pid for web in self.webs for pid in web.children()],
            "flask worker": [worker.pid for worker in self.workers],
            "gunicorn master": [web.pid for web in self.webs],
        }[kind]
        if not victims:
            return ""
        try:
            os.kill(chance.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            return ""
        return kind

    def control(self, name: str, document: Mapping[str, Any]) -> None:
        """Post to the sandbox's control API."""
        url = f"{self.deployment.sandbox_base}/_sandbox/{name}"
        requests.post(url, json=document, timeout=30).raise_for_status()

    def order(self, *faults: Mapping[str, Any]) -> None:
        """Inject these faults into sign-up calls, each `times` times, without that member for ever."""
        requests.delete(f"{self.deployment.sandbox_base}/_sandbox/faults", timeout=30).raise_for_status()
        for fault in faults:
            effect = {name: value for name, value in fault.items() if name != "times"}
            self.control("faults", {"match": {"path": SIGN_UP}, "times": fault.get("times"), "fault": effect})

    def pending(self) -> int:
        """Return how many sign-ups wait, as /health says; -1 while it does not answer."""
        with suppress(requests.RequestException, ValueError, KeyError):
            return int(requests.get(f"{self.bases[0]}/health", timeout=10).json()["pending"])
        return -1

    def drained(self, seconds: float) -> bool:
        """Wait until no sign-up waits; return False if some still do after `seconds`."""
        end = time.monotonic() + seconds
        while self.pending() != 0:
            if time.monotonic() > end:
                return False
            time.sleep(0.2)
        return True

    def calls_today(self) -> int:
        """Return the API calls of the current UTC day, as the sandbox counts them."""
        state = requests.get(f"{self.deployment.sandbox_base}/_sandbox/counters", timeout=60).json()
        return int(state["counters"]["calls_today"])

    def _supervise(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            for process in (*self.webs, *self.workers):
                process.keep_alive()


def _answers(base: str) -> bool:
    try:
        return requests.get(f"{base}/", timeout=2).ok
    except requests.RequestException:
        return False
