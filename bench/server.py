"""A gunicorn for a measurement, with the app or the baseline, and as many workers for both."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port

ROOT = Path(__file__).parents[1]
WORKERS = 2
LIST = "11111111-1111-4111-8111-111111111111"
PRODUCTION = {
    "APP_ENV": "production",
    "CONSTANT_CONTACT_CLIENT_ID": "bench",
    "CONSTANT_CONTACT_CLIENT_SECRET": "bench",
    "SECRET_KEY": "7ab1d0e9f3c25846b0d97e61c8f4a235",
    "ENCRYPTION_KEYS": "e94c07b2a85f1d63f07ca9125e8b3d64",
    "ADMIN_PASSWORD": "bench bench",
    "PUBLIC_LIST_IDS": LIST,
    # The load comes from this machine, which counts as one network.
    "SIGNUPS_PER_MINUTE_AND_NETWORK": "0",
    "SIGNUPS_PER_MINUTE_AND_FORM": "0",
}


@dataclass(frozen=True)
class Server:
    """A running server; `boot_seconds` is the time from its start to the first answer."""

    host: str
    port: int
    pid: int
    boot_seconds: float

    def worker_megabytes(self) -> list[float]:
        """Return the resident memory of each worker in MB."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [_resident(pid) for pid in children]


@contextmanager
def serving(
    application: str, environ: Mapping[str, str], *, config: str = "gunicorn.conf.py"
) -> Iterator[Server]:
    """Serve `application` (gunicorn's notation) until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", config, "--workers", str(WORKERS)]
    command += ["--bind", f"127.0.0.1:{port}"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, application],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
            **PRODUCTION,
            **environ,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Server("127.0.0.1", port, process.pid, _first_answer(port, began))
    finally:
        process.terminate()
        process.wait(40)


def _first_answer(port: int, began: float) -> float:
    while time.perf_counter() - began < 60:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60):
                return time.perf_counter() - began
        except OSError:
            time.sleep(0.005)
    raise TimeoutError("no answer within a minute")


def _resident(pid: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1024
