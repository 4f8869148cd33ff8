"""Whether everything works, and in plain words what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.connection.status import ConnectionStatus
from services.forms.open_lists import OpenLists
from services.operations.planned_waits import OWN_WAIT_MS, planned_waits, used_up
from services.problems import Problem, for_strangers
from store.engine.database import Database
from store.engine.sqlite.disk_reserve import DiskReserve
from store.errors import StoreError, StoreSilent, StoreUpgrading
from store.outbox.deliveries import Backlog, Deliveries
from store.outbox.public_backlog import PublicBacklog
from store.quota.causes import Causes
from store.quota.ledger import QuotaLedger
from store.recovery.salvage import Salvage
from store.recovery.spool import Spool
from store.signups.suspected import SuspectedSignups, Waiting

OLD_BACKLOG_SECONDS = 3_600
SILENT_SECONDS = 60
DAY_MS = 86_400_000
MEGABYTE = 1024 * 1024
SUSPECTED_WAITING = "suspected_waiting"
# What is being looked at, for whoever waits for it.
DATABASE, DISK, FOLDER = "The database", "The disk of the database", "The data folder"


def salvage_problems(salvage: Salvage) -> list[Problem]:
    """What became of a database file that was damaged or taken away, until a person deletes what is kept."""
    if salvage.waits():
        sentence = "The database file was damaged or taken away. What it held is being read back."
        return [Problem("database_being_salvaged", sentence)]
    last = salvage.last()
    if last is None:
        return []
    lost = "an unknown number of" if last.unreadable is None else last.unreadable
    sentence = (
        f"The database file was damaged or taken away. {last.signups} sign-ups were read back, {lost} rows"
        f" could not be; {last.copied} sign-ups came from their second copy. The old file is kept in the data"
        " folder; delete it when you have looked at it."
    )
    return [Problem("database_salvaged", sentence)]


def suspected_problems(waiting: Waiting) -> list[Problem]:
    """That some wait for a person, who alone can tell programs from people."""
    if not waiting.total:
        return []
    number = f"{waiting.total} or more" if waiting.more else waiting.total
    sentence = f"{number} sign-ups look like a program's and wait for you under Suspected."
    if waiting.total == 1:
        sentence = "One sign-up looks like a program's and waits for you under Suspected."
    if waiting.proven:
        sentence += f" Most likely people's, for they solved a captcha: {waiting.proven}."
    return [Problem(SUSPECTED_WAITING, sentence, of_signups=True)]


@dataclass(frozen=True)
class HealthReport:
    """`storable` is what decides over 200 or 503; `problems` hold no secrets and no personal data.

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


class Health:
    """Asks each part how it is."""

    def __init__(  # noqa: PLR0913 - one argument for each thing to look at
        self,
        *,
        database: Database,
        spool: Spool,
        salvage: Salvage | None,
        disk: DiskReserve,
        deliveries: Deliveries,
        budget: QuotaLedger,
        connection: ConnectionStatus,
        suspected: SuspectedSignups,
        public_backlog: PublicBacklog,
        open_lists: OpenLists,
        silent_seconds: Callable[[], float | None] | None = None,
        form_faults: Callable[[], list[str]] = list,
        warnings: Iterable[Problem],
        proxies: Callable[[], Iterable[Problem]] = tuple,
        opt_outs: Callable[[], Iterable[Problem]] = tuple,
        version: str,
        clock: Callable[[], int],
    ) -> None:
        """`warnings` are the settings' own; `proxies` tells what requests showed about those in front.

        `opt_outs` tells whether it is known who left. `salvage` is for SQLite; `clock` tells epoch ms.
        `silent_seconds` tells when this process's own delivery last went round; None where others deliver.
        """
        self._database = database
        self._spool = spool
        self._salvage = salvage
        self._disk = disk
        self._deliveries = deliveries
        self._budget = budget
        self._connection = connection
        self._suspected = suspected
        self._public_backlog = public_backlog
        self._open_lists = open_lists
        self._silent_seconds = silent_seconds
        self._form_faults = form_faults
        self._warnings = tuple(warnings)
        self._proxies = proxies
        self._opt_outs = opt_outs
        self._version = version
        self._clock = clock
        self.looks_at = DATABASE

    def report(self, *, for_all: bool = False) -> HealthReport:
        """Never raises: a store that cannot be used is what "unavailable" means.

        `for_all` leaves out what strangers must not know: what is weak, and what became of single sign-ups.
        """
        try:
            self.looks_at = DISK
            if not self._database.has_room():
                return self._unavailable(
                    "the disk is nearly full, and the rest is kept for what is accepted."
                )
            self.looks_at = DATABASE
            self._database.probe()
            return self._storable(for_all=for_all)
        except StoreError as error:
            return self._without_store(error)

    def _without_store(self, error: StoreError) -> HealthReport:
        self.looks_at = FOLDER
        try:
            self._spool.check()
        except StoreError:
            return self._unavailable("the database cannot be written. See the log for the cause.")
        code, what, see = "database_away", "The database cannot be used.", " See the log for the cause."
        if isinstance(error, StoreUpgrading):
            code, what, see = "database_upgrading", "The database is being upgraded to this release.", ""
        elif isinstance(error, StoreSilent):
            silent = max(1, int(self._database.silent_seconds() or 0))
            code, what = "no_answer", f"The database has not answered for {silent} s."
        sentence = (
            f"{what} Sign-ups are safe: they are kept in a file"
            f" ({self._spool.count()} by now) and stored as soon as it can.{see}"
        )
        problem = Problem(code, sentence)
        return HealthReport("degraded", True, "unknown", 0, 0, (problem,), self._version)

    def _unavailable(self, cause: str) -> HealthReport:
        problem = Problem("not_storable", f"Sign-ups cannot be stored: {cause}")
        return HealthReport("unavailable", False, "unknown", 0, 0, (problem,), self._version)

    def _storable(self, *, for_all: bool) -> HealthReport:
        connection = self._connection.read()
        backlog = self._backlog_for_all() if for_all else self._deliveries.backlog()
        oldest = 0
        if backlog.oldest_received_at is not None:
            oldest = max(0, (self._clock() - backlog.oldest_received_at) // 1000)
        found = (
            *self._warnings,
            *self._proxies(),
            *self._open_lists.problems(),
            *connection.problems(),
            *self._storage_problems(),
            *self._delivery_problems(backlog, oldest),
            *self._opt_outs(),
            *self._suspected_problems(),
        )
        problems = for_strangers(found) if for_all else found
        waiting = None if for_all else self._suspected.counts()
        return HealthReport(
            status="degraded" if any(not problem.planned for problem in problems) else "ok",
            storable=True,
            connection=connection.state,
            pending=backlog.pending,
            oldest_pending_seconds=oldest,
            # That some are suspected is no fault of the service, and nothing that strangers are told.
            problems=(*problems, *(suspected_problems(waiting) if waiting else ())),
            version=self._version,
            suspected=waiting.total if waiting else 0,
        )

    def _backlog_for_all(self) -> Backlog:
        now, budget = self._clock(), self._budget.read()
        # The first failure of all sets both; the first success ends both.
        failing = budget.failures > 0 or (budget.paused_until or 0) > now or used_up(budget, now)
        return self._public_backlog.read(now, standstill=failing or not self._connection.usable())

    def _storage_problems(self) -> list[Problem]:
        self.looks_at = FOLDER
        copies = self._database.copies.problem()
        problems = [Problem("second_copy_failing", copies, public=False)] if copies else []
        if self._disk.low():
            sentence = f"Only {self._disk.free() // MEGABYTE} MB are free on the disk. Make room."
            problems.append(Problem("disk_low", sentence, public=False))
        if waiting := self._spool.count():
            sentence = f"{waiting} sign-ups wait in a file to be stored in the database."
            problems.append(Problem("spool_waiting", sentence))
        if damaged := self._spool.damaged():
            sentence = f"{damaged} lines of the spool cannot be read; a person must look."
            problems.append(Problem("spool_damaged", sentence))
        return problems + (salvage_problems(self._salvage) if self._salvage else [])

    def _suspected_problems(self) -> list[Problem]:
        room = self._suspected.room()
        if room.dropped_at is None or self._clock() - room.dropped_at > DAY_MS:
            return []
        sentence = (
            f"Suspected sign-ups that were not kept, by now: {room.dropped}, the last within a day. As"
            " many wait as SUSPECTED_MOST_ROWS and SUSPECTED_MOST_MEGABYTES allow, or the disk is nearly"
            " full. Decide on those that wait at /admin/suspected/, or protect the form better."
        )
        return [Problem("suspected_not_kept", sentence, of_signups=True)]

    def _delivery_problems(self, backlog: Backlog, oldest: int) -> list[Problem]:
        self.looks_at = DATABASE
        now, budget = self._clock(), self._budget.read()
        problems = planned_waits(
            budget,
            backlog,
            self._deliveries.waiting_beyond(now + OWN_WAIT_MS),
            now=now,
            delivers_itself=self._silent_seconds is not None,
        )
        if budget.paused_until is not None and budget.paused_until > now and not used_up(budget, now):
            seconds = (budget.paused_until - now) // 1000 + 1
            sentence = f"Delivery pauses for another {seconds} s: {budget.pause_reason}"
            problems.append(Problem("delivery_paused", sentence))
        if oldest > OLD_BACKLOG_SECONDS:
            sentence = f"The oldest sign-up has waited {oldest // 60} minutes for its delivery."
            problems.append(Problem("backlog_old", sentence))
        if backlog.parked:
            sentence = (
                f"Sign-ups that were put aside and wait for a person: {backlog.parked}. See /admin/signups/."
            )
            problems.append(Problem("signups_parked", sentence, of_signups=True))
        problems += [
            Problem("signups_refused_alike", cause.sentence, public=False)
            for cause in Causes.parse(budget.causes)
            if not cause.lifted
        ]
        problems += [Problem("form_outdated", fault, public=False) for fault in self._form_faults()]
        return problems + self._silence(oldest)

    def _silence(self, oldest: int) -> list[Problem]:
        if self._silent_seconds is None or oldest <= SILENT_SECONDS:
            return []
        silent = self._silent_seconds()
        if silent is not None and silent <= SILENT_SECONDS:
            return []
        sentence = (
            "Sign-ups wait, and this process's delivery has not moved for a minute. It is started "
            "anew by itself; restart the service if this stays."
        )
        return [Problem("delivery_silent", sentence)]
