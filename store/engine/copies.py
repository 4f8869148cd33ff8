"""Second copies: text files that tell of every accepted sign-up, in case the database file is damaged.

A line with the rows is written after their commit and before the answer to the visitor; when a delivery has
ended, a further line has the changed columns. There is one file for each UTC day on which sign-ups were
received. Nothing is synced: the database itself survives a power cut, and the copies are for damage of its
file. Personal data stands here as plain as there. Idempotency keys are not copied: after a loss, a repeated
request counts as a sign-up of its own.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, select

from store.engine import documents
from store.engine.files import checked_line, read_checked_line, write_all
from store.schema.outbox import deliveries

log = structlog.get_logger(__name__)

COPIED = ("signups", "suspected_signups", "deliveries")
DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One line: the rows of a sign-up by table, or the columns that have changed in them.

    `received_at` (epoch ms) decides in which day's file the line stands. A change of None says that the row
    was removed.
    """

    source_id: str
    received_at: int
    rows: Mapping[str, Mapping[str, Any]] | None = None
    changes: Mapping[str, Mapping[str, Any] | None] | None = None


class SecondCopies:
    """The files of one SQLite database, in a folder beside it; a server's operator makes backups instead."""

    def __init__(self, database_file: Path | None) -> None:
        """Open nothing; None, for a server, makes no copies."""
        self._folder = database_file.parent / "copies" if database_file else None
        # Other databases may lie in the same folder.
        self._prefix = f"{database_file.name}-" if database_file else ""
        self._failed: str | None = None
        self._today = (-1, "")

    def write(self, entries: Iterable[Entry]) -> None:
        """Append the lines, those of one day by one write; never raise: the sign-ups are stored already."""
        if self._folder is None:
            return
        days: dict[int, list[bytes]] = {}
        for entry in entries:
            line = checked_line(entry.source_id, _body(entry))
            days.setdefault(entry.received_at // DAY_MS, []).append(line)
        try:
            for day, lines in days.items():
                # A line that was cut off must not spoil the next one, hence the line end in front.
                self._append(self._file(day), b"\n" + b"".join(lines))
        except OSError as error:
            if self._failed is None:
                log.critical("copies_not_written", error=type(error).__name__, errno=error.errno)
            self._failed = error.strerror or type(error).__name__
        else:
            self._failed = None

    def of_rows(self, connection: Connection, stored: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
        """Return the entry for rows by table that this transaction inserted, or found inserted already."""
        if self._folder is None:
            return []
        by_table = dict(stored)
        if "deliveries" in by_table:
            # With its id, since one contact's deliveries go out in the order of their ids.
            delivery = by_table["deliveries"]
            delivery_id = select(deliveries.c.id).where(deliveries.c.source_id == delivery["source_id"])
            by_table["deliveries"] = {**delivery, "id": connection.scalar(delivery_id)}
        first = by_table.get("signups") or by_table["suspected_signups"]
        return [Entry(first["id"], by_table.get("deliveries", first)["received_at"], rows=by_table)]

    def problem(self) -> str | None:
        """Return why no copies can be written, with the cure; None while they can."""
        if self._folder is None:
            return None
        cause = self._failed or self._forbidden(self._folder)
        return cause and (
            f"The second copy of new sign-ups in {self._folder} cannot be written ({cause}). They are stored,"
            " but damage of the database file could take some. Make room, and let this user write there."
        )

    def files(self) -> list[tuple[int, Path]]:
        """Return the files, oldest first, each with the beginning of its day (epoch ms)."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = []
        for file in self._folder.glob(f"{self._prefix}????-??-??"):
            with suppress(ValueError):  # a file that is not ours
                day = datetime.strptime(file.name[-len("2026-11-21") :], "%Y-%m-%d").replace(tzinfo=UTC)
                found.append((int(day.timestamp()) * 1000, file))
        return sorted(found)

    def _append(self, file: str, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(file, flags, 0o600)
        except FileNotFoundError:
            Path(file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(file, flags, 0o600)
        try:
            write_all(descriptor, content)
        finally:
            os.close(descriptor)

    def _file(self, day: int) -> str:
        # The name is made once a day, not for each sign-up.
        of_day, file = self._today
        if of_day != day:
            file = f"{self._folder}/{self._prefix}{date.fromordinal(_EPOCH + day)}"
            self._today = day, file
        return file

    def _forbidden(self, folder: Path) -> str | None:
        """Return why a process of this user cannot write; the folder is made at the first write."""
        if not folder.exists():
            folder = folder.parent
        return None if os.access(folder, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)


def rows(file: Path, table: str) -> Iterator[Row]:
    """Yield the rows of `table` in a file, with the last value of each column; some rows perhaps twice."""
    changed = changes(file, table)
    for signup_id, document in _documents(file):
        row = document.get("rows", {}).get(table)
        change = changed.get(signup_id, {})
        if row is not None and change is not None:
            yield documents.row_read(row) | change


def changes(file: Path, table: str) -> dict[str, Row | None]:
    """Return the changed columns of each sign-up's row in `table`, by its id; None for a removed row."""
    found: dict[str, Row | None] = {}
    for signup_id, document in _documents(file):
        if table in document.get("changes", {}):
            change = document["changes"][table]
            found[signup_id] = change and {**(found.get(signup_id) or {}), **change}
    return found


def _body(entry: Entry) -> str:
    members = []
    if entry.rows:
        members.append(f'"rows":{documents.rows_written(entry.rows)}')
    if entry.changes:
        members.append(f'"changes":{documents.written(entry.changes)}')
    return f"{{{','.join(members)}}}"


def _documents(file: Path) -> Iterator[tuple[str, Row]]:
    with suppress(FileNotFoundError), file.open("rb") as content:
        for line in content:
            if found := read_checked_line(line):
                yield found
