"""Write down what happens to the connection, without ever standing in its way."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from store.connection.audit import AuditLog
from store.engine.clock import Clock
from store.errors import StoreError

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ConnectionAudit:
    """The audit as the connection's own code sees it."""

    events: AuditLog
    clock: Clock

    def record(self, kind: str, detail: str | None = None, actor: str | None = None) -> None:
        """Note an event, and who acted where a person did.

        A store that fails must not undo what has happened already.
        """
        log.info("connection_event", kind=kind, actor=actor)
        try:
            self.events.record(kind, now=self.clock(), detail=detail, actor=actor)
        except StoreError as error:
            log.warning("connection_event_not_stored", kind=kind, error=type(error).__name__)
