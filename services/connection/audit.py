"""Record what happens to the connection in the audit, without ever failing it."""

from dataclasses import dataclass

import structlog

from store.connection.audit import AuditLog
from store.engine.clock import Clock
from store.errors import StoreError

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ConnectionAudit:
    """Writes audit entries for the code that connects and refreshes."""

    events: AuditLog
    clock: Clock

    def record(self, kind: str, detail: str | None = None, actor: str | None = None) -> None:
        """Record an event; `actor` is the person who acted, None where nobody did.

        A store error is only logged: it must not undo what has happened already.
        """
        log.info("connection_event", kind=kind, actor=actor)
        try:
            self.events.record(kind, now=self.clock(), detail=detail, actor=actor)
        except StoreError as error:
            log.warning("connection_event_not_stored", kind=kind, error=type(error).__name__)
