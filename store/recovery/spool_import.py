"""Import spooled sign-ups into the database; interrupted anywhere, the import may be repeated."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import structlog

from store import opt_outs
from store.engine.copies import Entry
from store.engine.database import Database
from store.engine.statements import insert_unknown
from store.errors import RowRefused
from store.recovery.spool import Spool, Spooled, lines
from store.schema.columns import metadata

log = structlog.get_logger(__name__)

_BATCH = 200


@dataclass(frozen=True)
class Imported:
    """How many lines were imported (or known already), and how many are kept because they cannot be."""

    signups: int
    damaged: int


class SpoolImport:
    """Imports the spool, oldest file first."""

    def __init__(self, database: Database, spool: Spool) -> None:
        self._database = database
        self._spool = spool

    def run(self) -> Imported:
        """Import what waits; a line is removed only after the commit of its rows.

        Raises:
            StoreError: the database still refuses; the spool is as it was.
        """
        done = damaged = 0
        if not self._spool.waits():
            return Imported(0, 0)
        with self._spool.set_aside() as files:
            for file in files:
                imported, refused = self._import(file)
                self._spool.finish(file, refused)
                done, damaged = done + imported, damaged + len(refused)
        if done:
            log.info("spool_imported", signups=done)
        if damaged:
            log.critical("spool_lines_damaged", lines=damaged)
        return Imported(done, damaged)

    def catch_up(self) -> bool:
        """Import what waits, so that a new sign-up is stored behind it.

        Returns:
            False when something still waits, because another process is importing it.

        Raises:
            StoreError: the database still refuses.
        """
        if not self._spool.waits():
            return True
        self.run()
        return not self._spool.waits()

    def _import(self, file: Path) -> tuple[int, list[bytes]]:
        done, refused = 0, list[bytes]()
        content = lines(file)
        while batch := list(islice(content, _BATCH)):
            refused += [line for line, spooled in batch if spooled is None]
            good = [(line, spooled) for line, spooled in batch if spooled is not None]
            rejected = self._insert_each(good)
            refused += rejected
            done += len(good) - len(rejected)
        return done, refused

    def _insert_each(self, good: Sequence[tuple[bytes, Spooled]]) -> list[bytes]:
        try:
            self._insert([spooled for _, spooled in good])
        except RowRefused:
            return [line for line, spooled in good if not self._inserted_alone(spooled)]
        return []

    def _inserted_alone(self, spooled: Spooled) -> bool:
        try:
            self._insert([spooled])
        except RowRefused:
            return False
        return True

    def _insert(self, rows: Iterable[Spooled]) -> None:
        copies, stored = self._database.copies, list[Entry]()
        with self._database.transaction(committed=lambda: copies.write(stored)) as connection:
            for spooled in rows:
                for table, row in spooled.rows:
                    insert_unknown(connection, metadata.tables[table], row)
                # Also of a row that was known: the import before may have been interrupted before its copy.
                stored += copies.of_rows(connection, dict(spooled.rows))
            opt_outs.doubt(connection)
