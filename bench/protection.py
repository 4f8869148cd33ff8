"""Processor time for reading a sign-up and judging whether a program sent it, without a proof of work."""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.server import LIST
from services.forms.catalog import FormCatalog
from services.intake.parsing import read_form
from services.protection.rules import Protection, RateLimits
from store.engine.database import Database
from store.forms import Forms
from store.signups.rate_limits import count

POSTS = 2_000


def measure() -> list[tuple[str, str]]:
    """Measure posts that each come from another network, so that each leaves rows to count and to remove."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'bench.db'}")
        reading, counting = _times(database)
        database.close()
    together = [read + counted for read, counted in zip(reading, counting, strict=True)]
    return [
        ("reading it and the rules", _show(reading)),
        ("counting for address, network and form, on SQLite", _show(counting)),
        ("together", _show(together)),
    ]


def _times(database: Database) -> tuple[list[float], list[float]]:
    now = [time.time_ns() // 1_000_000]
    form = FormCatalog(Forms(database), clock=lambda: now[0]).save(
        {"slug": "news", "name": "News", "list_ids": [LIST], "fields": [], "protection": "standard"}
    )
    rates = RateLimits(address=20, network=100, form=POSTS)
    protection = Protection(
        keys=lambda: ("bench",),
        rates=rates,
        captchas={},
        is_full=lambda _: False,
        due_at=lambda _: None,
        clock=lambda: now[0],
    )
    token = protection.token(form)
    now[0] += 5_000
    reading, counting = [], []
    for number in range(POSTS):
        fields = [("form", "news"), ("email", f"p{number}@example.org"), ("form_token", token)]
        address = f"8.{number // 250}.{number % 250}.1"

        def read(fields: list[tuple[str, str]] = fields, address: str = address) -> object:
            return protection.judge(read_form(fields), form, address)

        reading.append(_milliseconds(read))
        limits = protection.limits(address, form)
        with database.transaction() as connection:
            counting.append(_milliseconds(partial(count, connection, [limits], now=now[0])))
        now[0] += 10
    return reading, counting


def _milliseconds(work: Callable[[], object]) -> float:
    # This thread's processor time: other processes of the machine do not count.
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000


def _show(times: list[float]) -> str:
    return f"p50 {statistics.median(times):.2f} ms, p99 {statistics.quantiles(times, n=100)[98]:.2f} ms"
