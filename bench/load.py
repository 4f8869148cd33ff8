"""Post sign-ups over kept connections from a process of its own, and time each answer."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.server import LIST, Server


@dataclass(frozen=True)
class Load:
    """What a load found: answers a second, and milliseconds at the 50th and 99th percentile."""

    per_second: float
    p50: float
    p99: float


def post_signups(server: Server, *, total: int, connections: int, expect: int = 202) -> Load:
    """Post `total` sign-ups over that many connections; fails on any other answer than `expect`."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_post, (server, total, connections, expect))


def _post(server: Server, total: int, connections: int, expect: int) -> Load:
    times: list[float] = []
    began = time.perf_counter()
    threads = [
        threading.Thread(target=_one_connection(server, number, total // connections, expect, times))
        for number in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if len(times) != total // connections * connections:
        raise RuntimeError(f"only {len(times)} of {total} sign-ups were answered with {expect}")
    times.sort()
    return Load(len(times) / took, times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000)


def _one_connection(
    server: Server, number: int, count: int, expect: int, times: list[float]
) -> Callable[[], None]:
    def run() -> None:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        for index in range(count):
            body = json.dumps(
                {"email": f"p{number}-{index}@example.org", "first_name": "Ann", "list_id": LIST}
            )
            began = time.perf_counter()
            connection.request("POST", "/subscribe", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == expect:
                times.append(time.perf_counter() - began)

    return run
