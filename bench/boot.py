"""From the start command to the first answer, and the memory of a worker."""

import statistics
import tempfile

from bench.load import Order, post_signups
from bench.server import serving

RUNS = 5


def measure() -> list[tuple[str, str]]:
    """Measure the boot with an empty folder and with a database, and the memory after 2,000 sign-ups."""
    fresh, again, memory = [], [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            environ = {"DATA_DIR": folder, "DELIVERY": "off", "SUBSCRIBE_WAIT_SECONDS": "0"}
            with serving("app:create_app()", environ) as server:
                fresh.append(server.boot_seconds)
            with serving("app:create_app()", environ) as server:
                again.append(server.boot_seconds)
                post_signups(server, Order(total=2_000, connections=8))
                memory += server.worker_megabytes()
    return [
        ("first answer, new database (goal: under 2 s)", _median(fresh, "s")),
        ("first answer, existing database", _median(again, "s")),
        ("memory of a worker after 2,000 sign-ups (goal: < 120)", _median(memory, "MB")),
    ]


def _median(values: list[float], unit: str) -> str:
    return f"median {statistics.median(values):.2f} {unit}, worst {max(values):.2f} {unit}"
