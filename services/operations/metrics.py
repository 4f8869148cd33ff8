"""The figures for Prometheus, asked for at each scrape: right for any number of processes.

Figures in memory would differ between the processes of one deployment; these come from the store.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from services.connection.status import WORDS, ConnectionStatus, ConnectionView
from services.connection.token_ages import TokenClock
from store.engine.database import Database
from store.errors import StoreError
from store.outbox.deliveries import Deliveries
from store.quota.ledger import QuotaLedger
from store.signups.suspected import SuspectedSignups

# The states that a failed renewal leads to: passing, wrong secret, ended for good.
FAILURES = ("refresh_failing", "credentials_rejected", "needs_reauthorization")


class Metrics(Collector):
    """Collects without a registry: the library's own would add the memory of whichever process answers."""

    def __init__(
        self,
        *,
        database: Database,
        connection: ConnectionStatus,
        tokens: TokenClock,
        deliveries: Deliveries,
        budget: QuotaLedger,
        suspected: SuspectedSignups,
        clock: Callable[[], int],
    ) -> None:
        """`clock` tells epoch milliseconds."""
        self._database = database
        self._connection = connection
        self._tokens = tokens
        self._deliveries = deliveries
        self._budget = budget
        self._suspected = suspected
        self._clock = clock

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The figures and their content type, in the format that the Accept header `accept` asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self), content_type

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every figure; `up` alone, with 0, while the store cannot be used. Never raises."""
        try:
            self._database.probe()
            state = self._connection.read()
            known = [self._state(state.state), *self._token(state), *self._delivery(), self._kept_apart()]
        except StoreError:
            known = []
        yield _gauge("up", "Whether sign-ups can be stored.", 1 if known else 0)
        yield from known

    def _state(self, current: str) -> GaugeMetricFamily:
        # All states, also those at 0: an alert on a series that comes and goes misses its first sample.
        family = GaugeMetricFamily(
            "subscriber_sync_connection_state",
            "1 for the state of the connection to Constant Contact, 0 for all others.",
            labels=["state"],
        )
        for state in WORDS:
            family.add_metric([state], 1 if state == current else 0)
        return family

    def _token(self, connection: ConnectionView) -> list[GaugeMetricFamily]:
        ages = self._tokens.read()
        success = None if ages.last_success_at is None else ages.last_success_at / 1000
        return [
            _gauge(
                "token_expires_seconds", "Until the access token ends; negative after.", ages.access_ends_in
            ),
            _gauge("token_last_success_timestamp_seconds", "When tokens were last obtained.", success),
            _failures(connection.state, ages.failures),
            _gauge(
                "refresh_idle_days",
                "Days since the refresh token was used; it ends at 180.",
                connection.idle_days,
            ),
        ]

    def _kept_apart(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "subscriber_sync_suspected",
            "Suspected sign-ups that wait for a person, up to 1,000 of a rank; proven ones solved a captcha.",
            labels=["rank"],
        )
        for rank, waiting in vars(self._suspected.counts()).items():
            family.add_metric([rank], waiting)
        return family

    def _delivery(self) -> list[GaugeMetricFamily]:
        now, backlog, budget = self._clock(), self._deliveries.backlog(), self._budget.read()
        oldest = 0 if backlog.oldest_received_at is None else max(0, now - backlog.oldest_received_at) / 1000
        today = datetime.fromtimestamp(now / 1000, UTC).date().isoformat()
        calls = budget.used if budget.day == today else 0
        return [
            _gauge("pending", "Sign-ups that wait for their delivery.", backlog.pending),
            _gauge("oldest_pending_seconds", "How long the oldest of them has waited.", oldest),
            _gauge("parked", "Sign-ups that were put aside: a person must look.", backlog.parked),
            _gauge("calls_today", "Calls booked this UTC day, of 10,000.", calls),
            _gauge("paused", "Whether all calls pause.", 1 if (budget.paused_until or 0) > now else 0),
        ]


def _failures(state: str, failures: int) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "subscriber_sync_token_failures",
        "Failed attempts to renew since the last success, by the class of the latest.",
        labels=["class"],
    )
    for failure in FAILURES:
        family.add_metric([failure], failures if state == failure else 0)
    return family


def _gauge(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    """One figure; without a sample where the value is not known, since 0 would be a lie."""
    return GaugeMetricFamily(f"subscriber_sync_{name}", meaning, value=value)
