"""Whether everything works, and in plain words what does not."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.operations.checks import delivery, storage
from services.operations.reader import SnapshotReader
from services.operations.snapshot import Outage, Snapshot
from services.problems import Level, Problem, for_strangers

# In the place of the connection's state, where the database did not answer.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class HealthReport:
    """`storable` decides over 200 or 503; `problems` hold no secrets and no personal data.

    `suspected` wait for a person to tell programs from people, a thousand of each rank at most: that is named
    among the `problems`, but no fault of the service, whose `status` it does not change.
    """

    status: str
    storable: bool
    connection: str
    pending: int
    oldest_pending_seconds: int
    problems: tuple[Problem, ...]
    version: str
    suspected: int = 0

    @property
    def read(self) -> bool:
        """Whether the database answered; else nothing is known of what it holds."""
        return self.connection != UNKNOWN


def report_of(
    snapshot: Snapshot, warnings: Iterable[Problem], *, version: str, for_all: bool = False
) -> HealthReport:
    """Judge what was read; `warnings` are the settings' own."""
    found = (*warnings, *problems_of(snapshot))
    problems = for_strangers(found) if for_all else found
    waiting, queue = snapshot.suspected.waiting, snapshot.delivery.queue
    return HealthReport(
        status="ok" if all(problem.level is Level.OK for problem in problems) else "degraded",
        storable=True,
        connection=snapshot.account.connection.state,
        pending=queue.backlog.pending,
        oldest_pending_seconds=queue.oldest_seconds,
        problems=problems,
        version=version,
        suspected=waiting.total if waiting else 0,
    )


def problems_of(snapshot: Snapshot) -> list[Problem]:
    """Return everything that a person should know of, in the order of `GET /health`."""
    queue = snapshot.delivery.queue
    return [
        *snapshot.storage.proxies,
        *snapshot.account.open_lists,
        *snapshot.account.connection.problems(),
        *storage.second_copy(snapshot.storage),
        *storage.disk_low(snapshot.files),
        *storage.spool(snapshot.files),
        *storage.salvage(snapshot.storage),
        *delivery.day_used_up(queue),
        *delivery.own_wait(snapshot.delivery),
        *delivery.elsewhere(snapshot.delivery),
        *delivery.pause(queue),
        *delivery.backlog_old(queue),
        *delivery.parked(queue),
        *delivery.causes(queue),
        *delivery.forms(snapshot.delivery),
        *delivery.silence(snapshot.delivery),
        *snapshot.opt_outs,
        *snapshot.messages,
        *delivery.suspected_not_kept(snapshot.suspected, queue.now),
        *delivery.suspected_waiting(snapshot.suspected),
    ]


def report_without_database(problem: Problem, *, storable: bool, version: str) -> HealthReport:
    """Return what is left to say where the database does not answer, or cannot be used."""
    status = "degraded" if storable else "unavailable"
    return HealthReport(status, storable, UNKNOWN, 0, 0, (problem,), version)


@dataclass
class Health:
    """Reads how everything is, and judges it; `warnings` are the settings' own."""

    reader: SnapshotReader
    warnings: tuple[Problem, ...]
    version: str

    def report(self, *, for_all: bool = False) -> HealthReport:
        """Return how the service is; a store that cannot be used is what "unavailable" means. Never raises.

        `for_all` leaves out what strangers must not know: what is weak, and what became of single sign-ups.
        """
        found = self.reader.read(for_all=for_all)
        if isinstance(found, Outage):
            problem, storable = storage.outage(found), found.spooled is not None
            return report_without_database(problem, storable=storable, version=self.version)
        return report_of(found, self.warnings, version=self.version, for_all=for_all)
