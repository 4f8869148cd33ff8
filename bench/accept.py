"""Accepting a sign-up, as a ratio to a bare Flask echo measured in the same run."""

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from bench.disks import postgresql, sqlite, sqlite_on_slow_disk
from bench.load import Load, Order, post_signups
from bench.server import serving

ROUNDS, TOTAL = 3, 6_400
# The server answers as soon as its first worker does; the comparison is of two.
SECOND_WORKER_SECONDS = 3

Place = Callable[[], AbstractContextManager[Mapping[str, str]]]


def measure() -> list[tuple[str, str]]:
    """Measure each place against an echo of its own; 64 connections are the main figure."""
    rows: list[tuple[str, str]] = []
    for name, place, connections in (
        ("SQLite", sqlite, 64),
        ("SQLite", sqlite, 16),
        ("SQLite, each fsync 2 ms longer", sqlite_on_slow_disk, 64),
        ("PostgreSQL", postgresql, 64),
    ):
        title = f"POST /subscribe, {name}, {connections} connections"
        try:
            rows += _compare(title, place, connections)
        except LookupError as missing:
            rows.append((title, f"skipped: {missing}"))
    return rows


def _compare(title: str, place: Place, connections: int) -> list[tuple[str, str]]:
    """Measure echo and app in turn, so that changes of the machine's speed affect both alike."""
    echo, ours = [], []
    for _ in range(ROUNDS):
        with serving("bench.echo:create_app()", {}, config="python:bench.echo") as server:
            time.sleep(SECOND_WORKER_SECONDS)
            echo.append(post_signups(server, Order(TOTAL, connections)))
        with place() as settings:
            environ = {"DELIVERY": "off", "SUBSCRIBE_WAIT_SECONDS": "0", **settings}
            with serving("app:create_app()", environ) as server:
                time.sleep(SECOND_WORKER_SECONDS)
                ours.append(post_signups(server, Order(TOTAL, connections)))
    speed = _median(ours, "per_second") / _median(echo, "per_second")
    tail = _median(ours, "p99") / _median(echo, "p99")
    return [
        (f"bare Flask echo, {connections} connections", _show(echo)),
        (title, _show(ours)),
        ("  of the echo's answers a second · times its p99", f"{speed:.2f} · {tail:.1f}"),
    ]


def _show(loads: list[Load]) -> str:
    return (
        f"{_median(loads, 'per_second'):.0f}/s, "
        f"p50 {_median(loads, 'p50'):.1f} ms, p99 {_median(loads, 'p99'):.1f} ms"
    )


def _median(loads: list[Load], figure: str) -> float:
    return float(statistics.median(getattr(load, figure) for load in loads))
