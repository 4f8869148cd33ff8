"""What there is to know of a running service at one moment, read once, for health, doctor and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.account.lists import KnownLists, ListCache
from services.connection.status import ConnectionStatus, ConnectionView
from services.forms.open_lists import OpenLists
from services.problems import Problem
from store.engine.database import Database
from store.engine.sqlite.disk_reserve import LOW_BYTES, DiskReserve
from store.errors import StoreError
from store.outbox.claims import DELIVERIES_PER_DAY
from store.outbox.deliveries import Backlog, Deliveries, OwnWait
from store.outbox.public_backlog import PublicBacklog
from store.quota.ledger import QuotaLedger
from store.quota.state import QuotaState
from store.recovery.salvage import Salvage, Salvaged
from store.recovery.spool import Spool
from store.signups.suspected import SuspectedSignups, Waiting
from store.signups.suspected_room import SuspectedRoom

# Shorter waits are over before anybody has read of them.
OWN_WAIT_MS = 60_000
# What is being read, for whoever waits for it.
DATABASE, DISK, FOLDER = "The database", "The disk of the database", "The data folder"


@dataclass(frozen=True)
class Files:
    """What lies outside the database: bytes that are free, sign-ups and unreadable lines of the spool."""

    disk_free: int
    spooled: int
    spool_damaged: int

    @property
    def disk_low(self) -> bool:
        """Whether a person should make room."""
        return self.disk_free < LOW_BYTES


@dataclass(frozen=True)
class Storage:
    """The database, which was written to a moment ago; `second_copy` says why copies cannot be written.

    `salvage_waits`: a damaged file is still to be read back; `salvaged`: what the last one brought, as long
    as it is kept.
    """

    second_copy: str | None
    salvage_waits: bool
    salvaged: Salvaged | None
    proxies: tuple[Problem, ...]


@dataclass(frozen=True)
class Account:
    """The connection, the account's lists as far as they are known, and what is wrong with those open to all.

    `weak_doors`: a sentence for each list that one form protects and another does not.
    """

    connection: ConnectionView
    lists: KnownLists | None
    open_lists: tuple[Problem, ...]
    weak_doors: tuple[str, ...]


@dataclass(frozen=True)
class Queue:
    """What waits for its delivery at `now` (epoch ms), and the quota that it waits for."""

    now: int
    backlog: Backlog
    quota: QuotaState

    @property
    def oldest_ms(self) -> int:
        """For how long the oldest has waited."""
        oldest = self.backlog.oldest_received_at
        return 0 if oldest is None else max(0, self.now - oldest)

    @property
    def oldest_seconds(self) -> int:
        """The same in whole seconds."""
        return self.oldest_ms // 1000

    @property
    def paused(self) -> bool:
        """Whether all calls pause."""
        return (self.quota.paused_until or 0) > self.now

    @property
    def calls_used(self) -> int:
        """The calls of this UTC day."""
        # A day that the row is ahead of us by counts: another host's clock has reached midnight.
        return self.quota.used if self.quota.day >= self.day else 0

    @property
    def day_used_up(self) -> bool:
        """Whether no delivery may go out before the next UTC day."""
        return self.calls_used >= DELIVERIES_PER_DAY

    @property
    def day(self) -> str:
        """This UTC day, as in "2026-11-29"."""
        return datetime.fromtimestamp(self.now / 1000, UTC).date().isoformat()


@dataclass(frozen=True)
class Delivery:
    """How delivery goes; `own_wait` is that of single sign-ups for a time of their own, beyond OWN_WAIT_MS.

    `delivers_itself`: these processes deliver, none that is started apart. `silent_seconds` is how long ago
    this process's delivery last went round, None where it never did.
    """

    queue: Queue
    own_wait: OwnWait | None
    form_faults: tuple[str, ...]
    delivers_itself: bool
    silent_seconds: float | None


@dataclass(frozen=True)
class Suspected:
    """How many suspected sign-ups wait, None for strangers; and what their room is like."""

    waiting: Waiting | None
    room: SuspectedRoom


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment."""

    files: Files
    storage: Storage
    account: Account
    delivery: Delivery
    opt_outs: tuple[Problem, ...]
    suspected: Suspected


@dataclass(frozen=True)
class Outage:
    """The database cannot be used because of `error`, or None: the disk is kept for what is accepted.

    `spooled` sign-ups are kept in a file meanwhile, None where that cannot be written either.
    """

    error: StoreError | None
    silent_seconds: float | None
    spooled: int | None


@dataclass(frozen=True)
class Sources:
    """Where it is read; `salvage` is for SQLite, `clock` tells epoch milliseconds.

    `silent_seconds` is None where others deliver.
    """

    database: Database
    spool: Spool
    salvage: Salvage | None
    disk: DiskReserve
    deliveries: Deliveries
    quota: QuotaLedger
    public_backlog: PublicBacklog
    connection: ConnectionStatus
    lists: ListCache
    open_lists: OpenLists
    suspected: SuspectedSignups
    clock: Callable[[], int]
    form_faults: Callable[[], Iterable[str]] = tuple
    proxies: Callable[[], Iterable[Problem]] = tuple
    opt_outs: Callable[[], Iterable[Problem]] = tuple
    silent_seconds: Callable[[], float | None] | None = None


class SnapshotReader:
    """Reads a snapshot, or parts of one. Each part raises store.errors.StoreError."""

    def __init__(self, sources: Sources) -> None:
        """`looks_at` says what is being read at the moment."""
        self._sources = sources
        self.looks_at = DATABASE

    def read(self, *, for_all: bool = False) -> Snapshot | Outage:
        """Read everything, or why that cannot be done; never raises.

        `for_all` counts what waits as strangers are told it, and leaves out how many are suspected.
        """
        database = self._sources.database
        try:
            self.looks_at = DISK
            if not database.has_room():
                return Outage(None, None, None)
            storage, account = self.storage(), self.account()
            queue = self._queue_for_all() if for_all else self.queue()
            return Snapshot(
                storage=storage,
                account=account,
                files=self.files(),
                delivery=self.delivery(queue),
                opt_outs=tuple(self._sources.opt_outs()),
                suspected=Suspected(
                    waiting=None if for_all else self.suspected(), room=self._sources.suspected.room()
                ),
            )
        except StoreError as error:
            return self._outage(error)

    def files(self) -> Files:
        """Look at what lies outside the database."""
        self.looks_at = FOLDER
        spool = self._sources.spool
        return Files(self._sources.disk.free(), spool.count(), spool.damaged())

    def storage(self) -> Storage:
        """Write to the database, and look at what was damaged."""
        sources = self._sources
        self.probe()
        proxies = tuple(sources.proxies())
        self.looks_at = FOLDER
        return Storage(
            second_copy=sources.database.copies.problem(),
            salvage_waits=sources.salvage is not None and sources.salvage.waits(),
            salvaged=sources.salvage.last() if sources.salvage else None,
            proxies=proxies,
        )

    def probe(self) -> None:
        """Write to the database."""
        self.looks_at = DATABASE
        self._sources.database.probe()

    def database_description(self) -> str:
        """Name the engine and its version."""
        return self._sources.database.description()

    def connection(self) -> ConnectionView:
        """Read how the connection stands."""
        return self._sources.connection.read()

    def account(self) -> Account:
        """Read how the connection and the account's lists stand."""
        sources = self._sources
        self.looks_at = DATABASE
        return Account(
            connection=self.connection(),
            lists=sources.lists.known(),
            open_lists=tuple(sources.open_lists.problems()),
            weak_doors=tuple(sources.open_lists.weak_doors()),
        )

    def queue(self) -> Queue:
        """Read what waits, and the quota."""
        sources = self._sources
        return Queue(sources.clock(), sources.deliveries.backlog(), sources.quota.read())

    def delivery(self, queue: Queue) -> Delivery:
        """Read how the delivery of `queue` goes."""
        self.looks_at = DATABASE
        silent = self._sources.silent_seconds
        return Delivery(
            queue=queue,
            own_wait=self._sources.deliveries.waiting_beyond(queue.now + OWN_WAIT_MS),
            form_faults=tuple(self._sources.form_faults()),
            delivers_itself=silent is not None,
            silent_seconds=silent() if silent else None,
        )

    def suspected(self) -> Waiting:
        """Count the suspected sign-ups that wait for a person."""
        return self._sources.suspected.counts()

    def _queue_for_all(self) -> Queue:
        sources, now = self._sources, self._sources.clock()
        quota = sources.quota.read()
        queue = Queue(now, Backlog(0, None, 0), quota)
        # The first failure of all sets both; the first success ends both.
        failing = quota.failures > 0 or queue.paused or queue.day_used_up
        backlog = sources.public_backlog.read(now, standstill=failing or not sources.connection.usable())
        return Queue(now, backlog, quota)

    def _outage(self, error: StoreError) -> Outage:
        self.looks_at = FOLDER
        try:
            self._sources.spool.check()
        except StoreError:
            return Outage(error, None, None)
        return Outage(error, self._sources.database.silent_seconds(), self._sources.spool.count())
