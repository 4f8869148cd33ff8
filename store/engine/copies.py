"""A second copy of what was accepted, for the day when bytes of the database file are gone.

After the commit and before the thanks, a line says what was stored; when a delivery has ended, another one
says how. One file for each UTC day on which sign-ups were received. Nothing is synced: a power cut is
survived by the database itself, and damage of its file by the copy. Personal data stands here as plain as
there. Idempotency keys are not copied: with one that is lost, a repeat counts as a sign-up of its own.
"""

from __future__ import annotations

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
from store.schema import deliveries

log = structlog.get_logger(__name__)

COPIED = ("signups", "suspected_signups", "deliveries")
DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One line: rows of a sign-up by table, or what has changed in them; `received_at` (epoch ms) is the day.

    A change of None says that the row was removed.
    """

    signup_id: str
    received_at: int
    rows: Mapping[str, Mapping[str, Any]] | None = None
    changes: Mapping[str, Mapping[str, Any] | None] | None = None


class SecondCopies:
    """The files of one SQLite database, in a folder beside it; a server's operator makes backups instead."""

    def __init__(self, database_file: Path | None) -> None:
        """Nothing is opened; None makes no copies."""
        self._folder = database_file.parent / "copies" if database_file else None
        # Other databases may lie in the same folder.
        self._prefix = f"{database_file.name}-" if database_file else ""
        self._failed: str | None = None
        self._today = (-1, "")

    def write(self, entries: Iterable[Entry]) -> None:
        """Append the lines, those of one day by one write; never raises, since the sign-ups are stored."""
        if self._folder is None:
            return
        days: dict[int, list[bytes]] = {}
        for entry in entries:
            line = checked_line(entry.signup_id, _body(entry))
            days.setdefault(entry.received_at // DAY_MS, []).append(line)
        try:
            for day, lines in days.items():
                # A line that was cut off must not spoil the next one, hence the first end of line.
                self._append(self._file(day), b"\n" + b"".join(lines))
        except OSError as error:
            if self._failed is None:
                log.critical("copies_not_written", error=type(error).__name__, errno=error.errno)
            self._failed = error.strerror or type(error).__name__
        else:
            self._failed = None

    def of_rows(self, connection: Connection, stored: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
        """The entry for rows by table that were inserted in this transaction, or were known already."""
        if self._folder is None:
            return []
        known = dict(stored)
        if "deliveries" in known:
            # With its number, for its place among the contact's.
            delivery = known["deliveries"]
            number = select(deliveries.c.id).where(deliveries.c.signup_id == delivery["signup_id"])
            known["deliveries"] = {**delivery, "id": connection.scalar(number)}
        first = known.get("signups") or known["suspected_signups"]
        return [Entry(first["id"], known.get("deliveries", first)["received_at"], rows=known)]

    def problem(self) -> str | None:
        """Why no copies can be written, with the cure; None while they can."""
        if self._folder is None:
            return None
        cause = self._failed or self._forbidden(self._folder)
        return cause and (
            f"The second copy of new sign-ups in {self._folder} cannot be written ({cause}). They are stored,"
            " but damage of the database file could take some. Make room, and let this user write there."
        )

    def files(self) -> list[tuple[int, Path]]:
        """The files, oldest first, each with the beginning of its day (epoch ms)."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = []
        for file in self._folder.glob(f"{self._prefix}????-??-??"):
            with suppress(ValueError):  # somebody else's file
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
        # Once a day, not for each sign-up.
        known, file = self._today
        if known != day:
            file = f"{self._folder}/{self._prefix}{date.fromordinal(_EPOCH + day)}"
            self._today = day, file
        return file

    def _forbidden(self, folder: Path) -> str | None:
        """What another process of ours would meet; the folder is made at the first write."""
        if not folder.exists():
            folder = folder.parent
        return None if os.access(folder, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)


def rows(file: Path, table: str) -> Iterator[Row]:
    """The rows of `table` that a file tells of, each as it was last; some perhaps twice."""
    changed = changes(file, table)
    for signup_id, document in _documents(file):
        row = document.get("rows", {}).get(table)
        change = changed.get(signup_id, {})
        if row is not None and change is not None:
            yield documents.row_read(row) | change


def changes(file: Path, table: str) -> dict[str, Row | None]:
    """What was written down of each sign-up's row in `table`, later over earlier; None if it was removed."""
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
