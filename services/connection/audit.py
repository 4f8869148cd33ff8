"""Write down what happens to the connection, without ever standing in its way."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from store.connection.audit import AuditLog
from store.errors import StoreError

log = structlog.get_logger(__name__)


class ConnectionAudit:
    """The audit as the connection's own code sees it."""

    def __init__(self, events: AuditLog, *, clock: Callable[[], int]) -> None:
        """`clock` tells epoch milliseconds."""
        self._events = events
        self._clock = clock

    def record(self, kind: str, detail: str | None = None, actor: str | None = None) -> None:
        """Note an event, and who acted where a person did.

        A store that fails must not undo what has happened already.
        """
        log.info("connection_event", kind=kind, actor=actor)
        try:
            self._events.record(kind, now=self._clock(), detail=detail, actor=actor)
        except StoreError as error:
            log.warning("connection_event_not_stored", kind=kind, error=type(error).__name__)
