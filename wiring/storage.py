"""The database, and what keeps sign-ups while the database fails."""

from dataclasses import dataclass

from services.access.requester import STRANGER
from services.delivery.kinds import KINDS
from settings import Settings
from store import Store
from store.engine.clock import Clock, DatabaseClock
from store.engine.database import Database, database_file
from store.engine.sqlite.disk_reserve import DiskReserve
from store.recovery.salvage import Salvage
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.signups.suspected_room import SuspectedCeiling

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Storage:
    """The database by subjects, the spool, the disk, and the salvage of a damaged database file.

    What several hosts tell each other by times in rows goes by `shared_clock`, the one clock of their
    database; all else goes by `clock`, the machine's.
    """

    store: Store
    spool: Spool
    spool_import: SpoolImport
    disk: DiskReserve
    salvage: Salvage | None
    clock: Clock
    shared_clock: Clock

    @property
    def database(self) -> Database:
        """The database, which `store` has by subjects."""
        return self.store.database


def build_storage(settings: Settings, clock: Clock) -> Storage:
    """Build it, and open nothing. Only SQLite has a salvage: a server's files are its operator's."""
    database = Database(settings.store_url)
    file = database_file(settings.store_url)
    spool = Spool(settings.data_dir / "spool")
    ceiling = SuspectedCeiling(settings.suspected_most_rows, settings.suspected_most_megabytes * MEGABYTE)
    return Storage(
        store=Store.of(database, spooled=spool.waits, stranger=STRANGER, ceiling=ceiling),
        spool=spool,
        spool_import=SpoolImport(database, spool),
        disk=DiskReserve(file.parent if file else settings.data_dir),
        salvage=Salvage(database, file, restore=KINDS["sign_up"].restore) if file else None,
        clock=clock,
        shared_clock=DatabaseClock(database, local=clock),
    )
