"""Start, watch and stop the real processes of a deployment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import requests

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], *, seconds: float = 20) -> T:
    """The first truthy thing `look` returns; fails by name after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Process:
    """One server process with its log on disk."""

    def __init__(
        self, name: str, command: Sequence[object], *, env: Mapping[str, str], url: str, log: Path
    ) -> None:
        self.name, self.command, self.url, self.log = name, command, url, log
        # Nothing of the tester's own settings may leak in.
        self.env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/tmp"), **env}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in self.command],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(f"the start of {self.name} ({self.log.read_text()})", self._answers)

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Signal the process and wait; the exit status."""
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(40)

    def kill_all(self) -> None:
        """SIGKILL the process and its children at the same instant."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} ended: {self.log.read_text()}"
        try:
            return requests.get(self.url, timeout=2).ok
        except requests.RequestException:
            return False


class Deployment:
    """The sandbox on its own port, and the app under gunicorn in production mode with two workers."""

    password = "correct horse battery"
    api_key = "key-of-the-shop-0123456789"
    secret_key = "7ab1d0e9f3c25846b0d97e61c8f4a2359d"
    encryption_key = "e94c07b2a85f1d63f07ca9125e8b3d64c1"

    def __init__(self, folder: Path, *, preset_list: str, database_url: str = "", **environ: str) -> None:
        """`environ` is added to the app's environment."""
        self.folder, self.preset_list = folder, preset_list
        sandbox_port, app_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{app_port}"
        self.sandbox_base = f"http://127.0.0.1:{sandbox_port}"
        binaries = Path(sys.executable).parent
        self.sandbox = Process(
            "the sandbox",
            [binaries / "flask", "sandbox", "--port", sandbox_port],
            env={"DATA_DIR": str(folder / "sandbox")},
            url=f"{self.sandbox_base}/_sandbox/state",
            log=folder / "sandbox.log",
        )
        self.app = Process(
            "the app",
            [binaries / "gunicorn", "--bind", f"127.0.0.1:{app_port}", "--workers", "2", "app:create_app()"],
            env={
                "APP_ENV": "production",
                "PUBLIC_BASE_URL": self.base,
                "DATA_DIR": str(folder / "data"),
                # Where the tests run, /tmp may be in memory.
                "DATABASE_URL": database_url,
                "CONSTANT_CONTACT_CLIENT_ID": "sandbox-client",
                "CONSTANT_CONTACT_CLIENT_SECRET": "sandbox-secret",
                "CONSTANT_CONTACT_API_URL": f"{self.sandbox_base}/v3",
                "CONSTANT_CONTACT_AUTH_URL": f"{self.sandbox_base}/oauth2/default/v1",
                "ALLOW_CUSTOM_VENDOR_URLS": "1",
                "SECRET_KEY": self.secret_key,
                "ENCRYPTION_KEYS": self.encryption_key,
                "ADMIN_PASSWORD": self.password,
                "API_KEYS": self.api_key,
                "PUBLIC_LIST_IDS": preset_list,
                # All visitors of the tests come from this machine, which counts as one network.
                "SIGNUPS_PER_MINUTE_AND_NETWORK": "0",
                "SIGNUPS_PER_MINUTE_AND_FORM": "0",
                **environ,
            },
            url=f"{self.base}/",
            log=folder / "app.log",
        )

    def start(self) -> None:
        self.sandbox.start()
        self.app.start()

    def stop(self) -> None:
        for process in (self.app, self.sandbox):
            if process.running:
                process.stop()

    def sandbox_state(self) -> dict[str, Any]:
        state: dict[str, Any] = requests.get(f"{self.sandbox_base}/_sandbox/state", timeout=5).json()
        return state

    def contact(self, email: str) -> dict[str, Any] | None:
        """The sandbox's contact of that address."""
        found = [c for c in self.sandbox_state()["contacts"] if c["email_address"] == email]
        return found[0] if found else None

    def faults(self, **fault: Any) -> None:
        """Make every sign-up call at the sandbox fail in this way from now on."""
        requests.post(
            f"{self.sandbox_base}/_sandbox/faults",
            json={"match": {"path": "/v3/contacts/sign_up_form"}, "times": None, "fault": fault},
            timeout=5,
        ).raise_for_status()

    def heal(self) -> None:
        requests.delete(f"{self.sandbox_base}/_sandbox/faults", timeout=5).raise_for_status()

    def subscribe(self, email: str, **fields: Any) -> requests.Response:
        """Post a sign-up as JSON, with the API key: strangers are not told what becomes of theirs."""
        return requests.post(
            f"{self.base}/subscribe",
            json={"email": email, "list_id": self.preset_list, **fields},
            headers=self.by_key,
            timeout=30,
        )

    @property
    def by_key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}

    def health(self) -> dict[str, Any]:
        """The exact figures, which need a key."""
        health: dict[str, Any] = requests.get(f"{self.base}/health", headers=self.by_key, timeout=5).json()
        return health

    def status(self, signup_id: str) -> str:
        answer = requests.get(f"{self.base}/signups/{signup_id}", headers=self.by_key, timeout=5)
        status: str = answer.json()["status"]
        return status
