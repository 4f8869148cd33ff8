"""Accepting a sign-up, as a ratio to a bare Flask echo measured in the same run."""

from __future__ import annotations

import statistics
import tempfile

from bench.load import Load, post_signups
from bench.server import serving

ROUNDS, TOTAL, CONNECTIONS = 3, 6_000, 16


def measure() -> list[tuple[str, str]]:
    """Interleaved rounds: the machine's moods then hit both alike."""
    echo, ours = [], []
    for _ in range(ROUNDS):
        with serving("bench.echo:create_app()", {}, config="python:bench.echo") as server:
            echo.append(post_signups(server, total=TOTAL, connections=CONNECTIONS))
        with tempfile.TemporaryDirectory() as folder:
            environ = {"DATA_DIR": folder, "DELIVERY": "off", "SUBSCRIBE_WAIT_SECONDS": "0"}
            with serving("app:create_app()", environ) as server:
                ours.append(post_signups(server, total=TOTAL, connections=CONNECTIONS))
    ratio = statistics.median(load.per_second for load in ours) / statistics.median(
        load.per_second for load in echo
    )
    return [
        (f"bare Flask echo, {CONNECTIONS} connections", _show(echo)),
        ("POST /subscribe, SQLite, each one on disk", _show(ours)),
        ("ratio of answers per second", f"{ratio:.2f}"),
    ]


def _show(loads: list[Load]) -> str:
    return (
        f"{statistics.median(load.per_second for load in loads):.0f}/s, "
        f"p50 {statistics.median(load.p50 for load in loads):.1f} ms, "
        f"p99 {statistics.median(load.p99 for load in loads):.1f} ms"
    )
