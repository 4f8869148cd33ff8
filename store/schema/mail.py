"""Messages to the organisation's own people and programs, and the alerts they tell."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Table, Text, text

from store.schema.columns import metadata, numbered, partial_index, required
from store.schema.outbox import UNFINISHED

ENDED = text("state IN ('sent', 'given_up')")

# Mail and calls of webhooks that this service sends to people and programs of its own side: an outbox.
messages = Table(
    "messages",
    metadata,
    numbered(),
    # What the receiver knows a repeat by: Message-ID, webhook-id.
    Column("message_id", Text, nullable=False),
    # By which way: "email" or "webhook"; the webhook's address stands in the settings only.
    Column("channel", Text, nullable=False),
    *required(Text, "recipient", "subject", "body"),
    Column("created_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    # When the row may be claimed: the end of its lease while it is sending; empty once it is finished.
    Column("due_at", BigInteger),
    *required(BigInteger, "fence", "attempts"),
    # Whether this message alone was refused, so that it holds up no younger one.
    Column("refused", Boolean, nullable=False),
    Column("last_error", Text),
    Column("finished_at", BigInteger),
    CheckConstraint("state IN ('ready', 'sending', 'sent', 'given_up')", name="state"),
    CheckConstraint("(due_at IS NOT NULL) = (state IN ('ready', 'sending'))", name="due_at"),
    Index("uq_messages_message_id", "message_id", unique=True),
    partial_index("ix_messages_due", "due_at", "id", where=UNFINISHED),
    partial_index("ix_messages_unfinished", "channel", "recipient", "id", where=UNFINISHED),
    partial_index("ix_messages_finished", "finished_at", where=ENDED),
)

# One row per kind of alert: how it stands, and what was last told of it; see services/operations/alerts/.
alerts = Table(
    "alerts",
    metadata,
    Column("kind", Text, primary_key=True),
    # Since when it lasts; empty while all is well.
    Column("began_at", BigInteger),
    Column("seen_at", BigInteger),
    # Whether the last message said that something is wrong, and when that was.
    Column("told", Boolean, nullable=False),
    Column("told_at", BigInteger),
    # How often it came and went without a message.
    Column("untold", BigInteger, nullable=False),
    # What was last seen of it: code, sentence and cure of each problem.
    Column("problems", Text, nullable=False),
)
