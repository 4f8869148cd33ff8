"""The audit (table `events`): what happened to the connection to Constant Contact, for the dashboard."""

from dataclasses import dataclass, fields

from sqlalchemy import bindparam, insert, select

from store.engine.database import Database
from store.engine.statements import prune
from store.schema.connection import events

_KEPT_MS = 400 * 86_400_000  # over a year, so that a month can be compared with the same one a year ago


@dataclass(frozen=True)
class AuditEntry:
    """What happened at `at` (epoch ms); `actor` is None where the service itself acted."""

    at: int
    kind: str
    detail: str | None
    actor: str | None


RECENT = (
    select(*(events.c[field.name] for field in fields(AuditEntry)))
    .order_by(events.c.at.desc(), events.c.id.desc())
    .limit(bindparam("at_most"))
)


class AuditLog:
    """The audit; an entry is kept for 400 days."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, kind: str, *, now: int, detail: str | None = None, actor: str | None = None) -> None:
        """Add an entry, and remove some of those that are older than 400 days.

        Args:
            kind: what happened, a word such as "refreshed".
            now: epoch ms.
            detail: plain words for an admin; shown as they are, so they must hold no secret.
            actor: who did it.
        """
        with self._database.transaction() as connection:
            connection.execute(insert(events).values(at=now, kind=kind, detail=detail, actor=actor))
            prune(connection, events, now - _KEPT_MS, column="at")

    def recent(self, limit: int) -> list[AuditEntry]:
        """Return the latest entries, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(RECENT, {"at_most": limit}).all()
        return [AuditEntry(**row._mapping) for row in rows]
