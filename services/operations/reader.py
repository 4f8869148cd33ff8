"""Reads what there is to know of a running service: everything for health, parts for doctor and metrics."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.account.lists import ListCache
from services.connection.status import ConnectionStatus
from services.forms.open_lists import OpenLists
from services.operations.snapshot import (
    AccountState,
    DeliveryState,
    FilesState,
    Outage,
    QueueState,
    Snapshot,
    StorageState,
    SuspectedState,
)
from services.problems import Problem
from store.engine.clock import Clock
from store.engine.database import Database
from store.engine.sqlite.disk_reserve import DiskReserve
from store.errors import StoreError
from store.outbox.backlog import Backlog
from store.outbox.deliveries import Deliveries
from store.outbox.public_backlog import PublicBacklog
from store.quota.ledger import QuotaLedger
from store.recovery.salvage import Salvage
from store.recovery.spool import Spool
from store.signups.suspected import SuspectedSignups

# Shorter waits are over before anybody has read of them.
OWN_WAIT_MS = 60_000
# What is being read, for whoever waits for it.
DATABASE, DISK, FOLDER = "The database", "The disk of the database", "The data folder"


@dataclass
class SnapshotReader:
    """Reads a snapshot, or parts of one. Each part raises store.errors.StoreError.

    `salvage` is None where the database is a server. `silent_seconds` tells when this process's own delivery
    last went round; it is None where others deliver. `looks_at` says what is being read at the moment.
    """

    database: Database
    spool: Spool
    salvage: Salvage | None
    disk: DiskReserve
    deliveries: Deliveries
    quota: QuotaLedger
    public_backlog: PublicBacklog
    status: ConnectionStatus
    lists: ListCache
    open_lists: OpenLists
    suspected: SuspectedSignups
    clock: Clock
    form_faults: Callable[[], Iterable[str]] = tuple
    proxies: Callable[[], Iterable[Problem]] = tuple
    opt_outs: Callable[[], Iterable[Problem]] = tuple
    messages: Callable[[], Iterable[Problem]] = tuple
    silent_seconds: Callable[[], float | None] | None = None
    looks_at: str = DATABASE

    def read(self, *, for_all: bool = False) -> Snapshot | Outage:
        """Read everything, or why that cannot be done; never raises.

        `for_all` counts what waits as strangers may know it, and leaves out how many are suspected.
        """
        try:
            self.looks_at = DISK
            if not self.database.has_room():
                return Outage(None, None, None)
            storage, account = self.read_storage(), self.read_account()
            queue = self._queue_for_all() if for_all else self.read_queue()
            return Snapshot(
                storage=storage,
                account=account,
                files=self.read_files(),
                delivery=self.read_delivery(queue),
                opt_outs=tuple(self.opt_outs()),
                messages=tuple(self.messages()),
                suspected=SuspectedState(None if for_all else self.suspected.counts(), self.suspected.room()),
            )
        except StoreError as error:
            return self._outage(error)

    def read_files(self) -> FilesState:
        """Look at what lies outside the database."""
        self.looks_at = FOLDER
        return FilesState(self.disk.free(), self.spool.count(), self.spool.damaged())

    def read_storage(self) -> StorageState:
        """Write to the database, and look at what was damaged."""
        self.looks_at = DATABASE
        self.database.probe()
        proxies = tuple(self.proxies())
        self.looks_at = FOLDER
        return StorageState(
            second_copy=self.database.copies.problem(),
            salvage_waits=self.salvage is not None and self.salvage.waits(),
            salvaged=self.salvage.last() if self.salvage else None,
            proxies=proxies,
        )

    def read_account(self) -> AccountState:
        """Read how the connection and the account's lists stand."""
        self.looks_at = DATABASE
        return AccountState(
            connection=self.status.read(),
            lists=self.lists.known(),
            open_lists=tuple(self.open_lists.problems()),
            weak_doors=tuple(self.open_lists.weak_doors()),
        )

    def read_queue(self) -> QueueState:
        """Read what waits, and the quota."""
        return QueueState(self.clock(), self.deliveries.backlog(), self.quota.read())

    def read_delivery(self, queue: QueueState) -> DeliveryState:
        """Read how the delivery of `queue` goes."""
        self.looks_at = DATABASE
        return DeliveryState(
            queue=queue,
            own_wait=self.deliveries.waiting_beyond(queue.now + OWN_WAIT_MS),
            form_faults=tuple(self.form_faults()),
            delivers_itself=self.silent_seconds is not None,
            silent_seconds=self.silent_seconds() if self.silent_seconds else None,
        )

    def _queue_for_all(self) -> QueueState:
        now, quota = self.clock(), self.quota.read()
        queue = QueueState(now, Backlog(0, None, 0), quota)
        # The first failure of all sets both; the first success ends both.
        failing = quota.failures > 0 or queue.paused or queue.day_used_up
        return QueueState(
            now, self.public_backlog.read(now, standstill=failing or not self.status.usable()), quota
        )

    def _outage(self, error: StoreError) -> Outage:
        self.looks_at = FOLDER
        try:
            self.spool.check()
        except StoreError:
            return Outage(error, None, None)
        return Outage(error, self.database.silent_seconds(), self.spool.count())
