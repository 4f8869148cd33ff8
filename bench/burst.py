"""1,000 sign-ups in ten seconds, delivered meanwhile, while Constant Contact answers, hangs or is down."""

import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import Order, post_signups
from bench.server import Server
from sandbox import PRESET_LIST_ID
from tests.end_to_end.consent import connect
from tests.end_to_end.processes import Deployment

TOTAL, PER_SECOND, CONNECTIONS = 1_000, 100, 16


def measure() -> list[tuple[str, str]]:
    """Measure the answers (goal: all accepted, p99 under 20 ms), with and without the wait for a result."""
    title = f"{TOTAL} sign-ups in 10 s"
    rows = [(f"{title}, the vendor {how}", _burst(how, "0")) for how in ("answers", "hangs", "is down")]
    waiting = _burst("answers", "1.2", api_key=Deployment.api_key)
    return [*rows, (f"{title} with an API key, it answers, some wait for the verdict", waiting)]


def _burst(how: str, wait_seconds: str, *, api_key: str | None = None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(Path(folder), preset_list=PRESET_LIST_ID, SUBSCRIBE_WAIT_SECONDS=wait_seconds)
        try:
            deployment.start()
            connect(deployment)
            if how == "hangs":
                deployment.faults(delay=60)
            elif how == "is down":
                deployment.sandbox.kill_all()
            address = urlsplit(deployment.base)
            load = post_signups(
                Server(address.hostname or "", address.port or 0, deployment.app.pid, 0),
                Order(TOTAL, CONNECTIONS, (201, 202), PER_SECOND, PRESET_LIST_ID, api_key),
            )
            return (
                f"all accepted, p50 {load.p50:.1f} ms, p99 {load.p99:.1f} ms, slowest {load.slowest:.0f} ms"
            )
        finally:
            deployment.stop()
