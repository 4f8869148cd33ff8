"""A long backlog: claims, inserts, the start and the memory with a million sign-ups waiting."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from store.engine.database import Database
from store.engine.postgresql.statement_limits import answers_within
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.signups.accept import Signups
from tests.durability.crowd import Crowd
from tests.durability.figures import Figure, at_most
from tests.durability.machines.fleet import Fleet
from tests.support.signups import bare_signup

SCENARIO = "backlog"
_NUMBERS = {
    "sqlite": (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) SELECT {} FROM n"
    ),
    "postgresql": "SELECT {} FROM generate_series(1, CAST(:rows AS integer)) AS n(i)",
}
_SIGNUP = (
    "'old-' || i, :first + i, 'old' || i || '@example.org', 'old' || i || '@example.org',"
    " '{\"first_name\": \"A\"}', '[\"11111111-1111-4111-8111-111111111111\"]', 'form'"
)
_DELIVERY = (
    "'old-' || i, :first + i, 'old' || i || '@example.org', 'sign_up',"
    ' \'{"email_address": "old\' || i || \'@example.org", "list_memberships":'
    " [\"11111111-1111-4111-8111-111111111111\"]}', 'ready', :first + i, 0, 0"
)
_FILLED_WITHIN_SECONDS = 600
_CALL_EVERY_MS = 300
_PARTS = 20
_PAGES = 8


@dataclass(frozen=True)
class Outcome:
    """Milliseconds of each claim, insert and bare sync, seconds to the first answer, a worker's megabytes."""

    rows: int
    engine: str
    claims: list[float]
    inserts: list[float]
    syncs: list[float]
    start: float
    memory_before: float
    memory_after: float


def run(folder: Path, *, rows: int, samples: int, database_url: str = "") -> Outcome:
    """Fill a database by SQL, claim and insert in this process, then serve from it."""
    data = folder / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    database = Database(database_url or f"sqlite:///{data / 'subscriber-sync.db'}")
    now = int(time.time() * 1000)
    _fill(database, rows, now - 86_400_000 // 2)
    # The disk's own times, measured in turn with the claims: a busy disk slows both.
    claims: list[float] = []
    inserts: list[float] = []
    syncs: list[float] = []
    for part in range(_PARTS):
        some = range(part * samples // _PARTS, (part + 1) * samples // _PARTS)
        claims += _claims(database, some, now)
        syncs += _syncs(data / "sync", len(some))
        inserts += _inserts(database, some, now)
    engine = database.description()
    database.close()
    began = time.monotonic()
    fleet = Fleet(folder, database_url=database_url, DELIVERY="off", SUBSCRIBE_WAIT_SECONDS="0")
    with fleet.start(connected=False):
        start = time.monotonic() - began - fleet.sandbox_start_seconds
        Crowd(fleet.bases, folder / "notes", 1, 100).start().join(60)
        before = max(map(_megabytes, fleet.webs[0].children()))
        Crowd(fleet.bases, folder / "notes", 2, 2_000).start().join(300)
        after = max(map(_megabytes, fleet.webs[0].children()))
    return Outcome(rows, engine, claims, inserts, syncs, start, before, after)


def _fill(database: Database, rows: int, first: int) -> None:
    numbers = _NUMBERS[database.dialect]
    signups = "id, received_at, contact_key, email, person, list_ids, asked_by"
    deliveries = "source_id, received_at, contact_key, kind, payload, state, due_at, fence, attempts"
    with answers_within(_FILLED_WITHIN_SECONDS), database.transaction() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        values = {"rows": rows, "first": first}
        for table, columns, row in (("signups", signups, _SIGNUP), ("deliveries", deliveries, _DELIVERY)):
            connection.execute(text(f"INSERT INTO {table} ({columns}) {numbers.format(row)}"), values)
    if database.dialect == "postgresql":
        # As autovacuum does a minute later.
        with answers_within(_FILLED_WITHIN_SECONDS), database.reading() as connection:
            connection.execute(text("ANALYZE"))


def _claims(database: Database, numbers: range, now: int) -> list[float]:
    """Claim and deliver as many rows, one every 300 ms of a simulated clock; return the milliseconds."""
    # The simulated clock does not count waiting for locks.
    deliveries, times = Deliveries(database, monotonic=lambda: 0.0), []
    for number in numbers:
        at = now + number * _CALL_EVERY_MS
        began = time.perf_counter()
        claimed = deliveries.claim(at)
        times.append((time.perf_counter() - began) * 1000)
        if not isinstance(claimed, Claimed):
            raise TypeError(f"nothing to claim: {claimed}")
        deliveries.delivered(claimed, now=at, contact_id="c", action="created")
    return times


def _syncs(file: Path, samples: int) -> list[float]:
    """Append as many bytes as a claim writes to the log, and sync them; return the milliseconds."""
    with file.open("ab", buffering=0) as log:

        def sync(_: int) -> None:
            log.write(bytes(_PAGES * 4096))
            os.fdatasync(log.fileno())

        return [_timed(sync, number) for number in range(samples)]


def _inserts(database: Database, numbers: range, now: int) -> list[float]:
    signups = Signups(database)

    def insert(number: int) -> None:
        signup = bare_signup(f"new-{number}", f"new{number}@example.org", at=now)
        signups.accept(signup, kind="sign_up", payload={})

    return [_timed(insert, number) for number in numbers]


def _timed(work: Callable[[int], None], number: int) -> float:
    began = time.perf_counter()
    work(number)
    return (time.perf_counter() - began) * 1000


def _megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


def figures(outcome: Outcome) -> list[Figure]:
    """Return the figures for the table."""
    scenario = f"{SCENARIO} of {outcome.rows:,}, {outcome.engine}"
    grown = outcome.memory_after - outcome.memory_before
    return [
        at_most(scenario, "claim, p99", round(_p99(outcome.claims), 2), 10, " ms"),
        at_most(scenario, "insert, p99", round(_p99(outcome.inserts), 2), 50, " ms"),
        Figure(
            scenario,
            "for comparison: 32 KB written and synced on this disk, p50 and p99",
            f"{statistics.median(outcome.syncs):.2f} and {_p99(outcome.syncs):.2f} ms",
        ),
        Figure(
            scenario,
            "claim and insert, p50",
            f"{statistics.median(outcome.claims):.2f} and {statistics.median(outcome.inserts):.2f} ms",
        ),
        at_most(scenario, "start to first answer", round(outcome.start, 2), 2, " s"),
        at_most(scenario, "a worker's growth over 2,000 sign-ups", round(grown, 1), 10, " MB"),
        Figure(scenario, "a worker's memory", f"{outcome.memory_after:.0f} MB"),
    ]


def _p99(values: list[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]
