"""Read back a damaged database file that was set aside: every row that can still be read, none twice.

What cannot be read is taken from the second copies: the rows, and how each delivery ended.

This runs in short transactions beside the service; what that cannot start without is carried over earlier,
see `store/engine/sqlite/carry_over.py`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Table, bindparam, select, update

from store import opt_outs
from store.engine import copies, documents
from store.engine.database import Database
from store.engine.files import flocked
from store.engine.sqlite import damage
from store.engine.sqlite.carry_over import GROWING, carry_over_tables, opened
from store.engine.sqlite.damaged_table import Gap, read
from store.engine.statements import insert_unknown
from store.errors import RowRefused
from store.key_value import KeyValue
from store.outbox import payloads
from store.schema.columns import metadata
from store.schema.connection import connection as connection_table
from store.schema.outbox import UNFINISHED, deliveries
from store.schema.signups import SIGNUP, signups
from store.signups.accept import NewSignup

log = structlog.get_logger(__name__)

_META_KEY = "salvage"
_BATCH = 100
_NO_DELIVERY = (
    "The record of this delivery was damaged. It may have been made already; send it again to be sure."
)
_NO_SIGNUP = (
    "The record of this sign-up was damaged, and only the address is left. Ask the person to sign up again."
)
_UNFINISHED_ONE = update(deliveries).where(deliveries.c.source_id == bindparam("mine"), UNFINISHED)

Row = dict[str, Any]
Entry = TypeVar("Entry")
Restore = Callable[[NewSignup], Mapping[str, object] | None]


@dataclass(frozen=True)
class Salvaged:
    """What was read back; `unreadable` counts rows of any table, None where their number is not known.

    `copied` counts the sign-ups that came from the copies, which are not among `signups`.
    """

    signups: int
    unreadable: int | None
    connection: bool
    copied: int = 0


class Salvage:
    """Reads back the files that were set aside beside a database's file."""

    def __init__(self, database: Database, path: Path, *, restore: Restore) -> None:
        """`restore` returns the payload of a sign-up's delivery that cannot be read, None for no delivery."""
        self._database = database
        self._path = path
        self._restore = restore
        self._meta = KeyValue(database)

    def run(self) -> list[Salvaged]:
        """Read back every file that waits for it, one process at a time; cut off, it begins again.

        Raises:
            StoreError: the new database refuses; the old file stays as it is.
        """
        if not damage.to_read_back(self._path):
            return []
        # The process that set it aside may still be carrying over its small tables.
        self._database.prepare()
        lock = self._path.with_name(self._path.name + "-salvage-lock")
        with flocked(lock, seconds=0) as alone:
            return [self._read_back(old) for old in damage.to_read_back(self._path)] if alone else []

    def last(self) -> Salvaged | None:
        """Return the last result, as long as the old file is kept; raises StoreError."""
        if not damage.already_read_back(self._path):
            return None
        document = self._meta.get(_META_KEY)
        return Salvaged(**json.loads(document)) if document else None

    def waits(self) -> bool:
        """Return whether a file is to be read back."""
        return bool(damage.to_read_back(self._path))

    def _read_back(self, old: Path) -> Salvaged:
        found, copied, lost, unknown = 0, 0, 0, False
        with closing(opened(old)) as source:
            with self._database.transaction() as connection:
                carry_over_tables(source, connection)
            for table in (metadata.tables[name] for name in GROWING):
                for batch in _batches(read(source, table.name)):
                    gaps = [entry for entry in batch if isinstance(entry, Gap)]
                    rows = [entry for entry in batch if not isinstance(entry, Gap)]
                    unknown = unknown or any(gap.rows is None for gap in gaps)
                    kept = self._keep(table, rows)
                    lost += sum(gap.rows or 0 for gap in gaps) + len(rows) - kept
                    found += kept if table is signups else 0
                # Before the next table's rows, which refer to these.
                put_back = self._put_back(table) if table.name in copies.COPIED else 0
                copied += put_back if table is signups else 0
        self._end_what_had_ended()
        self._deliver_the_rest()
        salvaged = Salvaged(found, None if unknown else lost, self._connected(), copied)
        self._meta.put(_META_KEY, json.dumps(asdict(salvaged)))
        damage.mark_read_back(old)
        log.critical("sqlite_file_salvaged", **asdict(salvaged))
        return salvaged

    def _put_back(self, table: Table) -> int:
        """Insert the copied rows that are in no row yet, and count them."""
        put_back = 0
        for _, file in self._database.copies.files():
            for batch in _batches(copies.rows(file, table.name)):
                put_back += self._keep(table, self._unknown(table, batch))
        return put_back

    def _unknown(self, table: Table, batch: list[Row]) -> list[Row]:
        key = "source_id" if table is deliveries else "id"
        sought = select(table.c[key]).where(table.c[key].in_([row[key] for row in batch]))
        with self._database.reading() as connection:
            known = set(connection.scalars(sought))
        return list({row[key]: row for row in batch if row[key] not in known}.values())

    def _end_what_had_ended(self) -> None:
        """End deliveries again that had ended: a page may have been read back as it was before."""
        for _, file in self._database.copies.files():
            for batch in _batches(iter(copies.changes(file, deliveries.name).items())):
                with self._database.transaction() as connection:
                    for signup_id, change in batch:
                        if change and change["state"] != "ready":
                            connection.execute(_UNFINISHED_ONE.values(change), {"mine": signup_id})

    def _keep(self, table: Table, rows: list[Row]) -> int:
        """Insert rows that are not there yet; return how many of `rows` are there now."""
        if not rows:
            return 0
        try:
            with self._database.transaction() as connection:
                for row in rows:
                    _keep_row(connection, table, row)
                opt_outs.doubt(connection)
        except RowRefused:
            return 0 if len(rows) == 1 else sum(self._keep(table, [row]) for row in rows)
        return len(rows)

    def _deliver_the_rest(self) -> None:
        """Give each sign-up without a delivery a parked one: it may have been delivered already."""
        missing = select(signups).where(
            ~select(deliveries.c.id).where(deliveries.c.source_id == signups.c.id).exists()
        )
        with self._database.reading() as connection:
            rows = [dict(row) for row in connection.execute(missing).mappings()]
        for row in rows:
            payload = self._restore(NewSignup.of_row(row))
            if payload is None:
                continue
            with suppress(RowRefused), self._database.transaction() as connection:
                insert_unknown(
                    connection,
                    deliveries,
                    {
                        "source_id": row["id"],
                        "received_at": row["received_at"],
                        "contact_key": row["contact_key"],
                        "kind": "sign_up",
                        "payload": documents.written(dict(payload)),
                        "state": "parked",
                        "fence": 0,
                        "attempts": 0,
                        "finished_at": row["received_at"],
                        "last_error": _NO_DELIVERY,
                    },
                )

    def _connected(self) -> bool:
        with self._database.reading() as connection:
            return bool(connection.scalar(select(connection_table.c.generation)))


def _keep_row(connection: Connection, table: Table, row: Row) -> None:
    row = {name: value for name, value in documents.row_read(row).items() if name in table.c}
    for document in ("person", "list_ids", "payload", "custom_fields", "tags", "sms"):
        if row.get(document) is not None:
            _check_document(row[document])
    of_signup = table is deliveries and row.get("source", SIGNUP) == SIGNUP
    if of_signup and insert_unknown(connection, signups, _stub(row)):
        # The values that stood in the sign-up's row only are missing in the payload.
        incomplete = payloads.MARK in row["payload"] and row["state"] in {"ready", "sending"}
        row |= _lost(row) if incomplete else {}
    if insert_unknown(connection, table, row) or table is not deliveries:
        return
    known = select(deliveries.c.id).where(deliveries.c.source_id == row["source_id"])
    if connection.scalar(known) is None:
        # Its id is taken, or the contact has a delivery that is being sent.
        row.pop("id", None)
        if row["state"] == "sending":
            row["state"] = "ready"
        insert_unknown(connection, table, row)


def _lost(delivery: Row) -> Row:
    return {
        "state": "parked",
        "due_at": None,
        "finished_at": delivery["received_at"],
        "last_error": _NO_SIGNUP,
    }


def _stub(delivery: Row) -> Row:
    """Return a row for a sign-up of which only the delivery could be read; inserted if it is missing."""
    return {
        "id": delivery["source_id"],
        "received_at": delivery["received_at"],
        "contact_key": delivery["contact_key"],
        "email": delivery["contact_key"],
        "person": "{}",
        "list_ids": "[]",
        "asked_by": "damaged",
    }


def _check_document(document: object) -> None:
    try:
        documents.read(str(document))
    except ValueError:
        raise RowRefused("a document cannot be read") from None


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, _BATCH)):
        yield batch
