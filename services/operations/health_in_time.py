"""Health that answers within a second, whatever hangs: a database, a disk, a lock.

A host restarts a service whose health probe gets no answer, which mends no database. So everything is read in
a thread of its own; when that takes too long, the answer says what hangs, and for how long.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Generic, TypeVar

from services.operations.checks import storage
from services.operations.health import Health, HealthReport, report_without_database
from store.errors import StoreError
from store.recovery.spool import Spool

LOOK_SECONDS = 0.6
SPOOL_SECONDS = 0.2

T = TypeVar("T")


class _Look(Generic[T]):
    """One call of `look` in a thread, shared by all requests meanwhile, so that only one thread hangs."""

    def __init__(self, look: Callable[[], T], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._began = monotonic()
        self._result: Future[T] = Future()
        threading.Thread(target=self._run, args=(look,), name="health", daemon=True).start()

    @property
    def over(self) -> bool:
        return self._result.done()

    @property
    def seconds(self) -> int:
        return int(self._monotonic() - self._began)

    def within(self, seconds: float) -> T | None:
        """Return what `look` returned, None if it has not ended by then; raise what it raised."""
        wait([self._result], max(0.0, self._began + seconds - self._monotonic()))
        return self._result.result() if self.over else None

    def _run(self, look: Callable[[], T]) -> None:
        try:
            self._result.set_result(look())
        except Exception as error:  # noqa: BLE001 - raised by whoever waits
            self._result.set_exception(error)


class _Shared(Generic[T]):
    """Starts a look where none is under way."""

    def __init__(self, look: Callable[[], T], monotonic: Callable[[], float]) -> None:
        self._look = look
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._current: _Look[T] | None = None

    def under_way(self) -> _Look[T]:
        with self._lock:
            if self._current is None or self._current.over:
                self._current = _Look(self._look, self._monotonic)
            return self._current


class HealthInTime:
    """What `Health` reports, or what it hangs on."""

    def __init__(
        self,
        health: Health,
        spool: Spool,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`spool` takes sign-ups while the database hangs; `monotonic` returns seconds.

        `look_seconds` is how long a caller of `report` waits for the report.
        """
        self._look_seconds = look_seconds
        self._health = health
        self._spool = spool
        self._reports = _Shared(health.report, monotonic)
        self._reports_for_all = _Shared(partial(health.report, for_all=True), monotonic)
        self._spools = _Shared(self._spool_takes, monotonic)

    def report(self, *, for_all: bool = False) -> HealthReport:
        """Return how the service is, soon after `look_seconds`; with `for_all` what strangers may know."""
        look = (self._reports_for_all if for_all else self._reports).under_way()
        if (found := look.within(self._look_seconds)) is not None:
            return found
        storable = bool(self._spools.under_way().within(SPOOL_SECONDS))
        problem = storage.no_answer(self._health.reader.looks_at, look.seconds, storable=storable)
        return report_without_database(problem, storable=storable, version=self._health.version)

    def _spool_takes(self) -> bool:
        try:
            self._spool.check()
        except StoreError:
            return False
        return True
