"""Rows that threads of one process store at the same time share one transaction, and so one sync of the disk.

There is no extra thread: of the writers that wait, the first one leads. It waits for the write lock, stores
the rows that all of them have queued by then, wakes them, and leaves the lead to the first one that came
later.
"""

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
    """Store rows in the order of their coming; each writer returns after the commit that holds its row."""

    def __init__(
        self,
        database: Database,
        insert: Callable[[Connection, Sequence[Row]], None],
        *,
        committed: Callable[[Sequence[Row]], None] = lambda _rows: None,
        find_committed: Callable[[Sequence[Row]], Sequence[bool]] = lambda rows: [False] * len(rows),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the callbacks.

        Args:
            database: where the rows go.
            insert: puts rows into an open transaction.
            committed: is called with the rows of each commit, right after it.
            find_committed: returns, after a commit that failed, which of its rows are stored nevertheless:
                the server's answer may be lost. Must not raise. The rows are not stored a second time, for
                the commit may even be still under way.
            monotonic: a clock in seconds.
        """
        self._database = database
        self._insert = insert
        self._committed = committed
        self._find_committed = find_committed
        self._monotonic = monotonic
        self._new_queue()
        _all.add(self)

    def write(self, row: Row) -> None:
        """Store `row`: on return it is on disk.

        Raises:
            StoreError: the row is not known to be stored. Such a row does not hinder those of other writers.
        """
        mine = _Write(row, self._monotonic() + self._database.busy_timeout_seconds)
        with self._mutex:
            self._queue.append(mine)
            leads = self._queue[0] is mine
        if leads or self._await(mine):
            self._lead(mine)
        if not mine.stored:
            raise mine.error or StoreUnavailable("the process was interrupted while it stored")

    def _await(self, mine: "_Write[Row]") -> bool:
        """Wait for the row's outcome or for the lead; return True when this writer is to lead."""
        # The leader waits for the write lock and then for SQLite's own, each at most for the busy timeout.
        if not mine.woken.acquire(timeout=2 * self._database.busy_timeout_seconds):
            with self._mutex:
                if mine in self._queue and self._queue[0] is not mine:
                    if not mine.in_batch:
                        self._queue.remove(mine)
                    mine.error = StoreUnavailable("database is locked by another thread of this process")
                    return False
        return not mine.finished

    def _lead(self, mine: "_Write[Row]") -> None:
        batch: list[_Write[Row]] = []
        try:
            if self._store(batch, self._start_batch) and len(batch) > 1:
                self._store_one_by_one(batch)
        finally:
            self._finish(batch or self._start_batch(), mine)

    def _store(self, batch: "list[_Write[Row]]", queued: "Callable[[], list[_Write[Row]]]" = list) -> bool:
        """Store the batch, and what is `queued` once the write lock is held, in one transaction.

        Return True when the transaction failed before its commit, so that each row may be tried alone.
        """
        committing = False
        try:
            with self._database.transaction(committed=lambda: self._report(batch)) as connection:
                batch += queued()
                self._insert(connection, [write.row for write in batch])
                committing = True
        except Exception as error:  # noqa: BLE001 - each writer raises its own
            # Without a batch not even the transaction began: the failure is that of every row in the queue.
            began = bool(batch)
            batch += [] if began else queued()
            for write in batch:
                write.error = error
            if not committing:
                return began
            found = self._find_committed([write.row for write in batch])
            for write, stored in zip(batch, found, strict=True):
                write.stored = stored
            return False
        for write in batch:
            write.stored = True
        return False

    def _store_one_by_one(self, batch: "list[_Write[Row]]") -> None:
        """Store each row alone, after a failure together that perhaps only one of them caused."""
        for write in batch:
            if self._monotonic() > write.end:
                write.error = StoreUnavailable("database is locked by another writer")
                continue
            self._store([write])

    def _report(self, batch: "list[_Write[Row]]") -> None:
        self._committed([write.row for write in batch])

    def _start_batch(self) -> "list[_Write[Row]]":
        """Return the writes in the queue, marked: their writers may not take them out any more."""
        with self._mutex:
            for write in self._queue:
                write.in_batch = True
            return list(self._queue)

    def _finish(self, batch: "list[_Write[Row]]", mine: "_Write[Row]") -> None:
        """Take the batch out of the queue, wake its writers, and give the lead to the next in the queue."""
        with self._mutex:
            for write in batch:
                self._queue.remove(write)
                write.finished = True
                if write is not mine:
                    write.woken.release()
            if self._queue:
                self._queue[0].woken.release()

    def _new_queue(self) -> None:
        self._mutex = threading.Lock()
        self._queue: deque[_Write[Row]] = deque()


class _Write(Generic[Row]):
    """One row in the queue; `woken` is released when the row's outcome is known, or its writer is to lead."""

    def __init__(self, row: Row, end: float) -> None:
        self.row, self.end = row, end
        self.woken = threading.Lock()
        self.woken.acquire()
        self.in_batch = self.finished = self.stored = False
        self.error: Exception | None = None


_all: WeakSet[GroupCommit[Any]] = WeakSet()


def _new_queues_in_child() -> None:
    # The writers in the queue, and the leader, are threads of the parent.
    for group in list(_all):
        group._new_queue()


os.register_at_fork(after_in_child=_new_queues_in_child)
