"""How long honest visitors wait while 2,000 connections drip a byte every five seconds."""

import json
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable

from bench.server import LIST, serving
from tests.end_to_end.slow_peers import dripping

CONNECTIONS, PAUSE_SECONDS, SECONDS = 2_000, 5.0, 60.0
POSTS_PER_SECOND, LOOKS_PER_SECOND = 20, 4


def measure() -> list[tuple[str, str]]:
    """Measure posts and GET /health, each on a connection of its own, without and with the slow peers."""
    with tempfile.TemporaryDirectory() as folder:
        unlimited = {f"SIGNUPS_PER_MINUTE_AND_{what}": "0" for what in ("ADDRESS", "NETWORK")}
        environ = {"DATA_DIR": folder, "DELIVERY": "off", "SUBSCRIBE_WAIT_SECONDS": "0", **unlimited}
        with serving("app:create_app()", environ) as server:
            base = f"http://{server.host}:{server.port}"
            rows = [_visit(base, "no slow peers", SECONDS / 6)]
            with dripping(server.port, connections=CONNECTIONS, pause=PAUSE_SECONDS):
                rows.append(_visit(base, f"{CONNECTIONS} slow peers", SECONDS))
            memory = ", ".join(f"{megabytes:.0f} MB" for megabytes in server.worker_megabytes())
    return [*rows, ("memory of the workers afterwards", memory)]


def _visit(base: str, who: str, seconds: float) -> tuple[str, str]:
    posts: list[float] = []
    looks: list[float] = []
    end = time.monotonic() + seconds
    visitors = [
        threading.Thread(target=_pace, args=(end, POSTS_PER_SECOND, posts, lambda n: _post(base, n))),
        threading.Thread(target=_pace, args=(end, LOOKS_PER_SECOND, looks, lambda _: _look(base))),
    ]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return f"{who}, {seconds:.0f} s", f"posts {_show(posts)}; /health {_show(looks)}"


def _pace(end: float, per_second: float, times: list[float], act: Callable[[int], None]) -> None:
    began = time.monotonic()
    while (due := began + len(times) / per_second) < end:
        time.sleep(max(0, due - time.monotonic()))
        start = time.monotonic()
        act(len(times))
        times.append((time.monotonic() - start) * 1000)


def _post(base: str, number: int) -> None:
    body = json.dumps({"email": f"p{number}@example.org", "list_id": LIST}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{base}/subscribe", body, headers), timeout=60
    ) as answer:
        if answer.status != 202:
            raise RuntimeError(f"answered with {answer.status}")


def _look(base: str) -> None:
    with urllib.request.urlopen(f"{base}/health", timeout=60):
        pass


def _show(times: list[float]) -> str:
    times = sorted(times)
    return (
        f"{len(times)}: p50 {times[len(times) // 2]:.1f} ms, "
        f"p99 {times[len(times) * 99 // 100]:.1f} ms, slowest {times[-1]:.0f} ms"
    )
