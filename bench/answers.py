"""Whether the time until a stranger's answer reveals what became of the sign-up, which it must not."""

import http.client
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bench.disks import postgresql
from sandbox import PRESET_LIST_ID
from tests.end_to_end.consent import connect
from tests.end_to_end.processes import Deployment

ROUNDS, PAUSE_SECONDS = 300, 0.02
# What becomes of a sign-up: a new contact, one that the vendor has, or a suspected sign-up.
FATES = ("new", "known", "suspected")
LIMITS = ("ADDRESS", "NETWORK", "FORM")


def measure() -> list[tuple[str, str]]:
    """Interleaved posts in a real server that delivers meanwhile; goal: medians within 2 ms."""
    rows = [("SQLite", _times({}))]
    try:
        with postgresql() as environ:
            rows.append(("PostgreSQL", _times({"DATABASE_URL": environ["DATABASE_URL"]})))
    except LookupError as missing:
        return [*_shown(rows), ("PostgreSQL", f"skipped: {missing}")]
    return _shown(rows)


def _shown(rows: list[tuple[str, dict[str, list[float]]]]) -> list[tuple[str, str]]:
    shown = []
    for engine, times in rows:
        medians = {fate: statistics.median(taken) for fate, taken in times.items()}
        figures = ", ".join(f"{fate} {median:.2f} ms" for fate, median in medians.items())
        apart = max(medians.values()) - min(medians.values())
        shown.append((f"median answer to strangers, {engine}", f"{figures}; apart {apart:.2f} ms"))
    return shown


def _times(environ: Mapping[str, str]) -> dict[str, list[float]]:
    """Return the milliseconds of each answer, by what became of the sign-up."""
    unlimited = {f"SIGNUPS_PER_MINUTE_AND_{limit}": "0" for limit in LIMITS}
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(Path(folder), preset_list=PRESET_LIST_ID, **unlimited, **environ)
        try:
            deployment.start()
            connect(deployment)
            deployment.subscribe("known@example.org").raise_for_status()
            return _posted(deployment)
        finally:
            deployment.stop()


def _posted(deployment: Deployment) -> dict[str, list[float]]:
    address = urlsplit(deployment.base)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 0, timeout=60)
    times: dict[str, list[float]] = {fate: [] for fate in FATES}
    answers = set()
    for number in range(ROUNDS):
        # Another order in each round, so that none always comes after the same other one.
        for fate in (*FATES[number % 3 :], *FATES[: number % 3]):
            time.sleep(PAUSE_SECONDS)
            body = _body(fate, number)
            began = time.perf_counter()
            connection.request("POST", "/subscribe", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = json.loads(answer.read())
            times[fate].append((time.perf_counter() - began) * 1000)
            answers.add((answer.status, tuple(said), said["status"]))
    if answers != {(202, ("id", "status"), "received")}:
        raise RuntimeError(f"not all were answered alike: {answers}")
    return times


def _body(fate: str, number: int) -> str:
    email = "known@example.org" if fate == "known" else f"{fate}{number}@example.org"
    # Bodies of the same length: the honeypot's value is as long as the source's.
    trap = {"website": "https"} if fate == "suspected" else {"source": "https"}
    return json.dumps({"email": email, "list_id": PRESET_LIST_ID, **trap})
