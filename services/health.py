"""Whether everything works, and in plain words what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.connection import ConnectionStatus
from store import Backlog, Budget, Database, Deliveries, StoreError

OLD_BACKLOG_SECONDS = 3_600
SILENT_SECONDS = 60


@dataclass(frozen=True)
class HealthReport:
    """`storable` is what decides over 200 or 503; `problems` hold no secrets and no personal data."""

    status: str
    storable: bool
    connection: str
    pending: int
    oldest_pending_seconds: int
    problems: tuple[str, ...]
    version: str


class Health:
    """Asks each part how it is."""

    def __init__(
        self,
        *,
        database: Database,
        deliveries: Deliveries,
        budget: Budget,
        connection: ConnectionStatus,
        silent_seconds: Callable[[], float | None] | None = None,
        warnings: list[str],
        version: str,
        clock: Callable[[], int],
    ) -> None:
        """`warnings` are the settings' own; `clock` tells epoch milliseconds.

        `silent_seconds` tells when this process's own delivery last went round; None where others deliver.
        """
        self._database = database
        self._deliveries = deliveries
        self._budget = budget
        self._connection = connection
        self._silent_seconds = silent_seconds
        self._warnings = warnings
        self._version = version
        self._clock = clock

    def report(self) -> HealthReport:
        """Never raises: a store that cannot be used is what "unavailable" means."""
        try:
            self._database.probe()
            return self._storable()
        except StoreError:
            sentence = "Sign-ups cannot be stored: the database cannot be written. See the log for the cause."
            return HealthReport("unavailable", False, "unknown", 0, 0, (sentence,), self._version)

    def _storable(self) -> HealthReport:
        connection, backlog = self._connection.read(), self._deliveries.backlog()
        oldest = 0
        if backlog.oldest_received_at is not None:
            oldest = max(0, (self._clock() - backlog.oldest_received_at) // 1000)
        problems = [*self._warnings]
        if connection.state != "connected":
            problems.append(f"{connection.sentence} {connection.safe}")
        if connection.warning:
            problems.append(connection.warning)
        problems += self._delivery_problems(backlog, oldest)
        if self._silent_seconds is not None and oldest > SILENT_SECONDS:
            silent = self._silent_seconds()
            if silent is None or silent > SILENT_SECONDS:
                problems.append(
                    "Sign-ups wait, and this process's delivery has not moved for a minute. It is started "
                    "anew by itself; restart the service if this stays."
                )
        return HealthReport(
            status="degraded" if problems else "ok",
            storable=True,
            connection=connection.state,
            pending=backlog.pending,
            oldest_pending_seconds=oldest,
            problems=tuple(problems),
            version=self._version,
        )

    def _delivery_problems(self, backlog: Backlog, oldest: int) -> list[str]:
        problems = []
        budget = self._budget.read()
        if budget.paused_until is not None and budget.paused_until > self._clock():
            seconds = (budget.paused_until - self._clock()) // 1000 + 1
            problems.append(f"Delivery pauses for another {seconds} s: {budget.pause_reason}")
        if oldest > OLD_BACKLOG_SECONDS:
            problems.append(f"The oldest sign-up has waited {oldest // 60} minutes for its delivery.")
        if backlog.parked:
            problems.append(f"Constant Contact refused {backlog.parked} of the sign-ups; a person must look.")
        return problems
