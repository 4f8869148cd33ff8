"""How long the client waits for a PostgreSQL server's answer to each statement.

The server's own time-outs are set per transaction only, since behind a pooler a session's settings would
reach other clients; and a server that hangs does not apply them. Here every wait on the wire ends: the
statement is cancelled, and the connection is closed.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

# Longer than the server's own limit of 5 s in a transaction, which ends a statement and keeps the connection.
ANSWER_SECONDS = 6.0
# A server that hangs does not answer a request to cancel either.
CANCEL_SECONDS = 0.5
NO_ANSWER = "the server has not answered"

T = TypeVar("T")
_seconds: ContextVar[float] = ContextVar("seconds", default=ANSWER_SECONDS)


@contextmanager
def answers_within(seconds: float) -> Iterator[None]:
    """Let each statement in this block take `seconds`, for slow work such as a migration."""
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


class LimitedConnection(psycopg.Connection[TupleRow]):
    """A connection that is closed, with psycopg.OperationalError, when an answer does not come in time."""

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
