"""Messages that this service sends to its own side, mail and calls of webhooks, until each has arrived.

A message is claimed for the time of a lease; its end is one guarded update that must touch one row. Of those
for one recipient the oldest goes first, so that nobody reads of an end before the beginning, unless the
recipient's server refused that one alone.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Update, bindparam, delete, exists, insert, select, text, update
from sqlalchemy.sql import func

from store.engine.database import Database
from store.schema.mail import ENDED, messages
from store.schema.outbox import UNFINISHED

EMAIL, WEBHOOK = "email", "webhook"
READY, SENDING, SENT, GIVEN_UP = "ready", "sending", "sent", "given_up"
# Longer than any attempt takes, see services/mail/outbox.py.
LEASE_MS = 120_000
KEPT_MS = 30 * 86_400_000
_REMOVED_AT_ONCE = 500


@dataclass(frozen=True)
class NewMessage:
    """What is to be sent; `body` is plain text of a mail, JSON of a webhook. Neither may hold a secret."""

    channel: str
    recipient: str
    subject: str
    body: str


@dataclass(frozen=True)
class Message(NewMessage):
    """A claimed message; `message_id` is the same at each attempt, and `fence` grows with each claim."""

    id: int
    message_id: str
    created_at: int
    attempts: int
    fence: int


@dataclass(frozen=True)
class Outlook:
    """How the outbox stands: since when the oldest waits, and what became of it; who was given up lately."""

    waiting_since: int | None
    last_error: str | None
    channel: str | None
    given_up: int


# Sought by an index that leaves out what was sent, see UNFINISHED in store/schema/outbox.py.
_older = messages.alias("older")
_OLDER_WAITS = exists(
    select(1)
    .select_from(_older)
    .where(
        # UNFINISHED, of the alias.
        text("older.state IN ('ready', 'sending')"),
        _older.c.channel == messages.c.channel,
        _older.c.recipient == messages.c.recipient,
        _older.c.id < messages.c.id,
        _older.c.refused.is_(False),
    )
)
NEXT = (
    select(messages)
    .where(UNFINISHED, messages.c.due_at <= bindparam("now"), ~_OLDER_WAITS)
    .order_by(messages.c.due_at, messages.c.id)
    .limit(1)
    .with_for_update(skip_locked=True, of=messages)
)
OLDEST_WAITING = (
    select(messages.c.created_at, messages.c.last_error, messages.c.channel)
    .where(UNFINISHED)
    .order_by(messages.c.id)
    .limit(1)
)
GIVEN_UP_SINCE = (
    select(func.count())
    .select_from(messages)
    .where(ENDED, messages.c.finished_at > bindparam("since"), messages.c.state == GIVEN_UP)
)
OLD = select(messages.c.id).where(ENDED, messages.c.finished_at <= bindparam("until")).limit(_REMOVED_AT_ONCE)
_CLAIM = update(messages).where(messages.c.id == bindparam("ours"))
# By the state as well: a message that was claimed anew and sent meanwhile stays sent.
_END = update(messages).where(
    messages.c.id == bindparam("ours"),
    messages.c.fence == bindparam("our_fence"),
    messages.c.state == SENDING,
)


def add(connection: Connection, new: Iterable[NewMessage], *, now: int) -> None:
    """Store messages in the open transaction, due at once; `now` is epoch ms."""
    for message in new:
        row = dict(vars(message)) | {
            # Sortable by time like a UUIDv7, and impossible to guess.
            "message_id": f"msg_{now:012x}{secrets.token_hex(10)}",
            "created_at": now,
            "state": READY,
            "due_at": now,
            "fence": 0,
            "attempts": 0,
            "refused": False,
        }
        connection.execute(insert(messages).values(**row))


class Messages:
    """The outbox of messages; times are epoch ms."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, new: Iterable[NewMessage], *, now: int) -> None:
        """Store messages that belong to no other change."""
        with self._database.transaction() as connection:
            add(connection, new, now=now)

    def claim(self, now: int) -> Message | None:
        """Take the next message that is due, for LEASE_MS; None when there is none."""
        with self._database.reading() as connection:
            # Most looks find nothing, and need no write transaction.
            if connection.execute(NEXT, {"now": now}).first() is None:
                return None
        with self._database.transaction() as connection:
            row = connection.execute(NEXT, {"now": now}).one_or_none()
            if row is None:
                return None
            claimed = {"state": SENDING, "due_at": now + LEASE_MS, "fence": row.fence + 1}
            connection.execute(_CLAIM.values(attempts=row.attempts + 1, **claimed), {"ours": row.id})
        return Message(
            channel=row.channel,
            recipient=row.recipient,
            subject=row.subject,
            body=row.body,
            id=row.id,
            message_id=row.message_id,
            created_at=row.created_at,
            attempts=row.attempts + 1,
            fence=row.fence + 1,
        )

    def sent(self, message: Message, *, now: int) -> bool:
        """Record that the message was taken; return False when the lease was lost meanwhile."""
        return self._end(message, _END.values(state=SENT, due_at=None, finished_at=now, last_error=None))

    def postpone(self, message: Message, *, due_at: int, error: str, refused: bool) -> bool:
        """Try again at `due_at`; `refused`: this message alone was, so younger ones need not wait for it."""
        again = _END.values(state=READY, due_at=due_at, last_error=error, refused=refused)
        return self._end(message, again)

    def give_up(self, message: Message, *, now: int, error: str) -> bool:
        """Record that the message will not be sent any more."""
        return self._end(message, _END.values(state=GIVEN_UP, due_at=None, finished_at=now, last_error=error))

    def outlook(self, *, given_up_since: int) -> Outlook:
        """Return how the outbox stands."""
        with self._database.reading() as connection:
            oldest = connection.execute(OLDEST_WAITING).first()
            given_up = connection.execute(GIVEN_UP_SINCE, {"since": given_up_since}).scalar_one()
        if oldest is None:
            return Outlook(None, None, None, given_up)
        return Outlook(oldest.created_at, oldest.last_error, oldest.channel, given_up)

    def prune(self, now: int) -> int:
        """Delete up to 500 messages that ended 30 days before `now`; return how many."""
        with self._database.transaction() as connection:
            ids = connection.scalars(OLD, {"until": now - KEPT_MS}).all()
            if ids:
                connection.execute(delete(messages).where(messages.c.id.in_(ids)))
        return len(ids)

    def _end(self, message: Message, statement: Update) -> bool:
        with self._database.transaction() as connection:
            guard = {"ours": message.id, "our_fence": message.fence}
            return connection.execute(statement, guard).rowcount == 1
