"""What threads of one process store at the same time shares one transaction, and so one sync of the disk.

No thread of its own: of those who wait, the first leads. It waits for the turn to write, stores what all of
them have brought by then, wakes them, and leaves the lead to the first who came later.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection

from store.engine.database import Database
from store.errors import StoreUnavailable

Row = TypeVar("Row")


class GroupCommit(Generic[Row]):
    """Stores rows in the order they come; each writer returns after the commit that holds its row."""

    def __init__(
        self,
        database: Database,
        insert: Callable[[Connection, Sequence[Row]], None],
        *,
        committed: Callable[[Sequence[Row]], None] = lambda _rows: None,
        held: Callable[[Sequence[Row]], Sequence[bool]] = lambda rows: [False] * len(rows),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`insert` puts rows into an open transaction; `committed` is told which ones a commit has held.

        `held` tells, and raises nothing, which rows a commit that failed has held after all: the answer of a
        server may be lost. Nothing is stored again then, for the commit may even be still under way.
        """
        self._database = database
        self._insert = insert
        self._committed = committed
        self._held = held
        self._monotonic = monotonic
        self._begin_anew()
        _all.add(self)

    def write(self, row: Row) -> None:
        """Store `row`: on return it is on disk.

        Raises:
            StoreError: it is not known to be stored. One that cannot be stored does not hinder the others.
        """
        mine = _Write(row, self._monotonic() + self._database.busy_timeout_seconds)
        with self._mutex:
            self._queue.append(mine)
            leads = self._queue[0] is mine
        if leads or self._await(mine):
            self._lead(mine)
        if not mine.stored:
            raise mine.error or StoreUnavailable("the process was interrupted while it stored")

    def _await(self, mine: _Write[Row]) -> bool:
        """Wait for the outcome, or for the lead: whether it has come to us."""
        # The leader waits for the turn and then for SQLite's own lock, each at most for the busy timeout.
        if not mine.woken.acquire(timeout=2 * self._database.busy_timeout_seconds):
            with self._mutex:
                if mine in self._queue and self._queue[0] is not mine:
                    if not mine.under_way:
                        self._queue.remove(mine)
                    mine.error = StoreUnavailable("database is locked by another thread of this process")
                    return False
        return not mine.settled

    def _lead(self, mine: _Write[Row]) -> None:
        batch: list[_Write[Row]] = []
        try:
            if self._attempt(batch, self._take) and len(batch) > 1:
                self._one_by_one(batch)
        finally:
            self._settle(batch or self._take(), mine)

    def _attempt(self, batch: list[_Write[Row]], join: Callable[[], list[_Write[Row]]] = list) -> bool:
        """Store the batch and those who join once the turn has come; True when each alone might still be."""
        committing = False
        try:
            with self._database.transaction(committed=lambda: self._tell(batch)) as connection:
                batch += join()
                self._insert(connection, [write.row for write in batch])
                committing = True
        except Exception as error:  # noqa: BLE001 - each writer raises its own
            # Without a batch not even a transaction began: that is the same for all who wait.
            began = bool(batch)
            batch += [] if began else join()
            for write in batch:
                write.error = error
            if not committing:
                return began
            for write, stored in zip(batch, self._held([write.row for write in batch]), strict=True):
                write.stored = stored
            return False
        for write in batch:
            write.stored = True
        return False

    def _one_by_one(self, batch: list[_Write[Row]]) -> None:
        """After a failure together: perhaps only one of the rows is at fault."""
        for write in batch:
            if self._monotonic() > write.end:
                write.error = StoreUnavailable("database is locked by another writer")
                continue
            self._attempt([write])

    def _tell(self, batch: list[_Write[Row]]) -> None:
        self._committed([write.row for write in batch])

    def _take(self) -> list[_Write[Row]]:
        with self._mutex:
            for write in self._queue:
                write.under_way = True
            return list(self._queue)

    def _settle(self, batch: list[_Write[Row]], mine: _Write[Row]) -> None:
        with self._mutex:
            for write in batch:
                self._queue.remove(write)
                write.settled = True
                if write is not mine:
                    write.woken.release()
            if self._queue:
                self._queue[0].woken.release()

    def _begin_anew(self) -> None:
        self._mutex = threading.Lock()
        self._queue: deque[_Write[Row]] = deque()


class _Write(Generic[Row]):
    """One row on its way; `woken` opens when it is settled, or when it is to lead."""

    def __init__(self, row: Row, end: float) -> None:
        self.row, self.end = row, end
        self.woken = threading.Lock()
        self.woken.acquire()
        self.under_way = self.settled = self.stored = False
        self.error: Exception | None = None


_all: WeakSet[GroupCommit[Any]] = WeakSet()


def _begin_anew_in_child() -> None:
    # The threads that wait, and the leader, are the parent's.
    for group in list(_all):
        group._begin_anew()


os.register_at_fork(after_in_child=_begin_anew_in_child)
