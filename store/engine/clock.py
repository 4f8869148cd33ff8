"""One clock for all instances: the database server's, so that those of their hosts need not agree."""

import time
from collections.abc import Callable

import structlog
from sqlalchemy import text

from store.engine.database import Database
from store.errors import StoreError

# The time now, in epoch milliseconds.
Clock = Callable[[], int]

log = structlog.get_logger(__name__)

_MEASURE_EVERY_SECONDS = 60.0
_JUMP_SECONDS = 1.0
_LONGEST_ROUND_TRIP_SECONDS = 0.1
_LOGGED_FROM_MS = 1_000
# Not now(), which is the time when the transaction began.
_SERVER_TIME = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")


class DatabaseClock:
    """A Clock: on PostgreSQL this host's clock plus its difference from the server's; on SQLite this host's.

    The difference is measured once a minute, and when this host's clock was set. A slow answer or none leaves
    the last difference. Never raises; the call that measures takes a round trip, or a connection attempt.
    """

    def __init__(
        self,
        database: Database,
        *,
        local: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open nothing; `local` is this host's own clock."""
        self._database = database
        self._local = local
        self._monotonic = monotonic
        self._offset = 0
        # When the difference was last measured, or tried to be, by both clocks of this host: where their
        # differences since do not agree, the clock was set.
        self._measured_at: tuple[int, float] | None = None

    def __call__(self) -> int:
        """Return the time now (epoch ms)."""
        if self._database.dialect == "postgresql" and self._is_due():
            self._measure()
        return self._local() + self._offset

    def _is_due(self) -> bool:
        if self._measured_at is None:
            return True
        local, monotonic = self._measured_at
        passed = self._monotonic() - monotonic
        jumped = (self._local() - local) / 1000 - passed
        return passed >= _MEASURE_EVERY_SECONDS or abs(jumped) > _JUMP_SECONDS

    def _measure(self) -> None:
        # Set first, so that no other thread measures too, and a server that is away is not asked at each
        # call.
        self._measured_at = (self._local(), self._monotonic())
        try:
            with self._database.reading() as connection:
                asked_at = self._monotonic()
                server = connection.execute(_SERVER_TIME).scalar_one()
                round_trip = self._monotonic() - asked_at
                offset = int(server + round_trip * 500) - self._local()
        except StoreError as error:
            log.warning("database_clock_unknown", error=type(error).__name__)
            return
        if round_trip > _LONGEST_ROUND_TRIP_SECONDS:
            return
        if abs(offset - self._offset) >= _LOGGED_FROM_MS:
            log.warning("clock_differs_from_database", milliseconds=offset)
        self._offset = offset
