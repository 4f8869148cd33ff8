"""What there is to know of a running service at one moment, read once, for health, doctor and metrics."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.account.lists import KnownLists
from services.connection.status import ConnectionView
from services.problems import Problem
from store.engine.sqlite.disk_reserve import LOW_BYTES
from store.errors import StoreError
from store.outbox.backlog import Backlog, OwnWait
from store.outbox.claims import DELIVERIES_PER_DAY
from store.quota.state import QuotaState
from store.recovery.salvage import Salvaged
from store.signups.suspected import Waiting
from store.signups.suspected_room import SuspectedRoom


@dataclass(frozen=True)
class FilesState:
    """What lies outside the database: free bytes on its disk, sign-ups and unreadable lines in the spool."""

    disk_free: int
    spooled: int
    spool_damaged: int

    @property
    def disk_low(self) -> bool:
        """Whether a person should make room."""
        return self.disk_free < LOW_BYTES


@dataclass(frozen=True)
class StorageState:
    """The database, which was written to a moment ago; `second_copy` says why copies cannot be written.

    `salvage_waits`: a damaged file is still to be read back. `salvaged`: what came back of the last such
    file, None once a person has deleted it.
    """

    second_copy: str | None
    salvage_waits: bool
    salvaged: Salvaged | None
    proxies: tuple[Problem, ...]


@dataclass(frozen=True)
class AccountState:
    """The connection, the account's lists as far as they are known, and what is wrong with those open to all.

    `weak_doors`: a sentence for each list that one form protects and another does not.
    """

    connection: ConnectionView
    lists: KnownLists | None
    open_lists: tuple[Problem, ...]
    weak_doors: tuple[str, ...]


@dataclass(frozen=True)
class QueueState:
    """What waits for its delivery at `now` (epoch ms), and the quota that it waits for."""

    now: int
    backlog: Backlog
    quota: QuotaState

    @property
    def oldest_ms(self) -> int:
        """For how many milliseconds the oldest has waited."""
        oldest = self.backlog.oldest_received_at
        return 0 if oldest is None else max(0, self.now - oldest)

    @property
    def oldest_seconds(self) -> int:
        """For how many whole seconds the oldest has waited."""
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
class DeliveryState:
    """How delivery goes; `own_wait` counts the sign-ups that wait for a time of their own, a minute at least.

    `delivers_itself`: these processes deliver, none that is started apart. `silent_seconds` is how long ago
    this process's delivery last went round, None where it never did.
    """

    queue: QueueState
    own_wait: OwnWait | None
    form_faults: tuple[str, ...]
    delivers_itself: bool
    silent_seconds: float | None


@dataclass(frozen=True)
class SuspectedState:
    """How many suspected sign-ups wait, None for strangers; and what their room is like."""

    waiting: Waiting | None
    room: SuspectedRoom


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment."""

    files: FilesState
    storage: StorageState
    account: AccountState
    delivery: DeliveryState
    opt_outs: tuple[Problem, ...]
    suspected: SuspectedState
    messages: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Outage:
    """The database cannot be used because of `error`, or None: the disk is kept for what is accepted.

    `spooled` sign-ups are kept in a file meanwhile, None where that cannot be written either.
    """

    error: StoreError | None
    silent_seconds: float | None
    spooled: int | None
