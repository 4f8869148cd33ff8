"""What keeps sign-ups while the database fails them."""

from __future__ import annotations

from dataclasses import dataclass

from services.delivery.payload import payload_of
from services.operations.checks import database_file
from settings import Settings
from store.engine.database import Database
from store.engine.sqlite.disk_reserve import DiskReserve
from store.recovery.salvage import Salvage
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.signups.suspected_room import SuspectedCeiling

MEGABYTE = 1024 * 1024


def suspected_ceiling(settings: Settings) -> SuspectedCeiling:
    """How much of the suspected sign-ups is kept."""
    return SuspectedCeiling(settings.suspected_most_rows, settings.suspected_most_megabytes * MEGABYTE)


@dataclass(frozen=True)
class Storage:
    """What keeps sign-ups while the database fails them: the spool, the disk, and what a lost file held."""

    spool: Spool
    spool_import: SpoolImport
    disk: DiskReserve
    salvage: Salvage | None

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Storage:
        """Nothing is opened; a server's files are its operator's, so only SQLite has a salvage."""
        file = database_file(settings.store_url)
        spool = Spool(settings.data_dir / "spool")
        return cls(
            spool=spool,
            spool_import=SpoolImport(database, spool),
            disk=DiskReserve(file.parent if file else settings.data_dir),
            salvage=Salvage(database, file, payload_of=payload_of) if file else None,
        )
