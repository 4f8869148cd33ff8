"""How long an answer of a PostgreSQL server is waited for, statement by statement, on our own side.

The server's own time-outs hold inside a transaction only, since behind a pooler a setting of the session
would reach other clients; and a server that hangs heeds none. Here each wait on the wire has an end: the
statement is cancelled, and the connection is given up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

# Beyond the server's own 5 s in a transaction, which end a statement and leave the connection alone.
ANSWER_SECONDS = 6.0
# A server that hangs answers a request to cancel no more than anything else.
CANCEL_SECONDS = 0.5
NO_ANSWER = "the server has not answered"

T = TypeVar("T")
_seconds: ContextVar[float] = ContextVar("seconds", default=ANSWER_SECONDS)


@contextmanager
def answers_within(seconds: float) -> Iterator[None]:
    """In this block each statement may take that long, for what is known to be slow, as a migration is."""
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


class LimitedConnection(psycopg.Connection[TupleRow]):
    """Raises psycopg.OperationalError when an answer does not come in time; it is closed then."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait as psycopg does, for a limited time. Every statement, BEGIN and COMMIT come through here."""
        seconds = _seconds.get() if timeout is None else timeout
        try:
            return super().wait(gen, interval, seconds)
        except psycopg.errors._WaitTimeout:
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=CANCEL_SECONDS)
            self.close()
            raise psycopg.OperationalError(f"{NO_ANSWER} for {seconds:g} s") from None
