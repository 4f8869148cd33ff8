"""Post sign-ups over kept connections from a process of its own, and time each answer."""

import http.client
import json
import multiprocessing
import threading
import time
from dataclasses import dataclass

from bench.server import LIST, Server


@dataclass(frozen=True)
class Load:
    """Answers a second, and the milliseconds until an answer: 50th and 99th percentile, and the slowest."""

    per_second: float
    p50: float
    p99: float
    slowest: float


@dataclass(frozen=True)
class Order:
    """What to post: how many sign-ups in all, over how many connections, and the expected statuses.

    With `per_second` each sign-up has its time, from which its answer is timed, also when it was sent late.
    """

    total: int
    connections: int
    expect: tuple[int, ...] = (202,)
    per_second: float | None = None
    list_id: str = LIST
    api_key: str | None = None


def post_signups(server: Server, order: Order) -> Load:
    """Post the sign-ups and return the load; raise RuntimeError when not all have an expected status."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_post, (server, order))


def _post(server: Server, order: Order) -> Load:
    times: list[float] = []
    began = time.perf_counter()
    threads = [
        threading.Thread(target=_one_connection, args=(server, order, number, began, times))
        for number in range(order.connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if len(times) != order.total:
        raise RuntimeError(f"only {len(times)} of {order.total} sign-ups were answered with {order.expect}")
    times.sort()
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    return Load(len(times) / took, p50 * 1000, p99 * 1000, times[-1] * 1000)


def _one_connection(server: Server, order: Order, number: int, began: float, times: list[float]) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    headers = {"Content-Type": "application/json"}
    if order.api_key:
        headers["Authorization"] = f"Bearer {order.api_key}"
    for index in range(number, order.total, order.connections):
        body = json.dumps({"email": f"p{index}@example.org", "first_name": "Ann", "list_id": order.list_id})
        due = time.perf_counter()
        if order.per_second:
            due = began + index / order.per_second
            time.sleep(max(0, due - time.perf_counter()))
        connection.request("POST", "/subscribe", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status in order.expect:
            times.append(time.perf_counter() - due)
