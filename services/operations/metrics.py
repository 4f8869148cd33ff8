"""The figures for Prometheus, asked for at each scrape: right for any number of processes.

Figures in memory would differ between the processes of one deployment; these come from the store.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from services.connection.states import WORDS
from services.connection.status import ConnectionView
from services.operations.reader import SnapshotReader
from services.operations.snapshot import QueueState
from store.errors import StoreError
from store.signups.suspected import Waiting

# The states that a failed renewal leads to: passing, wrong secret, ended for good.
FAILURES = ("refresh_failing", "credentials_rejected", "needs_reauthorization")


@dataclass(frozen=True)
class Metrics(Collector):
    """Collects without a registry: the library's own would add the memory of whichever process answers."""

    reader: SnapshotReader

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return the figures in the format that the Accept header asks for, and their content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self), content_type

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return every figure; `up` alone, with 0, while the store cannot be used. Never raises."""
        try:
            self.reader.database.probe()
            known = [
                *connection_figures(self.reader.status.read()),
                *queue_figures(self.reader.read_queue()),
                suspected_figures(self.reader.suspected.counts()),
            ]
        except StoreError:
            known = []
        yield _gauge("up", "Whether sign-ups can be stored.", 1 if known else 0)
        yield from known


def connection_figures(view: ConnectionView) -> list[GaugeMetricFamily]:
    """Return the state of the connection and the ages of its tokens."""
    ages = view.tokens
    success = None if ages.last_success_at is None else ages.last_success_at / 1000
    # All states, also those at 0: an alert on a series that comes and goes misses its first sample.
    return [
        _gauges(
            "connection_state",
            "1 for the state of the connection to Constant Contact, 0 for all others.",
            "state",
            {state: 1 if state == view.state else 0 for state in WORDS},
        ),
        _gauge("token_expires_seconds", "Until the access token ends; negative after.", ages.access_ends_in),
        _gauge("token_last_success_timestamp_seconds", "When tokens were last obtained.", success),
        _gauges(
            "token_failures",
            "Failed attempts to renew since the last success, by the class of the latest.",
            "class",
            {failure: ages.failures if view.state == failure else 0 for failure in FAILURES},
        ),
        _gauge("refresh_idle_days", "Days since the refresh token was used; it ends at 180.", view.idle_days),
    ]


def queue_figures(queue: QueueState) -> list[GaugeMetricFamily]:
    """Return what waits, and the quota."""
    backlog, quota = queue.backlog, queue.quota
    calls = quota.used if quota.day == queue.day else 0
    return [
        _gauge("pending", "Sign-ups that wait for their delivery.", backlog.pending),
        _gauge("oldest_pending_seconds", "How long the oldest of them has waited.", queue.oldest_ms / 1000),
        _gauge("parked", "Sign-ups that were put aside: a person must look.", backlog.parked),
        _gauge("calls_today", "Calls booked this UTC day, of 10,000.", calls),
        _gauge("paused", "Whether all calls pause.", 1 if queue.paused else 0),
    ]


def suspected_figures(waiting: Waiting) -> GaugeMetricFamily:
    """Return how many suspected sign-ups wait."""
    return _gauges(
        "suspected",
        "Suspected sign-ups that wait for a person, up to 1,000 of a rank; proven ones solved a captcha.",
        "rank",
        vars(waiting),
    )


def _gauges(name: str, meaning: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    """Return one figure for each value of a label."""
    family = GaugeMetricFamily(f"subscriber_sync_{name}", meaning, labels=[label])
    for each, value in values.items():
        family.add_metric([each], value)
    return family


def _gauge(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    """Return one figure; without a sample where the value is not known, since 0 would be a lie."""
    return GaugeMetricFamily(f"subscriber_sync_{name}", meaning, value=value)
