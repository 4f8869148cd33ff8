"""Deliveries, the calls made for them, and the quota of calls."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    false,
    text,
)

from store.schema.columns import metadata, numbered, partial_index
from store.schema.signups import SIGNUP

# SQLite uses a partial index only where the query repeats its condition literally, so both take it from here.
UNFINISHED = text("state IN ('ready', 'sending')")

SENDING = text("state = 'sending'")

PARKED = text("state = 'parked'")

KEEPS_PAYLOAD = text("state IN ('delivered', 'merged', 'dropped') AND payload <> '{}'")

# Deliveries that no sign-up asked for, which are few.
REQUESTED = text("source <> 'signup'")

REFUSED_REQUEST = text("state = 'parked' AND source <> 'signup'")

HAS_CAUSE = text("state = 'parked' AND cause IS NOT NULL")

deliveries = Table(
    "deliveries",
    metadata,
    numbered(),
    # Who asked for the change: "signup" with the id of the sign-up, or another source with an id of its own.
    Column("source", Text, nullable=False, server_default=SIGNUP),
    Column("source_id", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("contact_key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    # When the row may be claimed: the end of its lease while it is sending; empty once it is finished.
    Column("due_at", BigInteger),
    Column("fence", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("action", Text),
    Column("contact_id", Text),
    Column("finished_at", BigInteger),
    # The delivery whose call also carried this one.
    Column("merged_into", BigInteger),
    # Set after a merged call was refused: each goes out alone then, so that only the refused one is parked.
    Column("alone", Boolean, nullable=False, server_default=false()),
    # For a parked one the id of its cause, see store/quota/causes.py; for a ready one the mark of a manual
    # retry.
    Column("cause", Text),
    # For an admin, of one that has ended: which list was left out, why it was dropped.
    Column("note", Text),
    # The vendor's own sentence behind `last_error`, without personal data; emptied by a success.
    Column("vendor_said", Text),
    CheckConstraint(
        "state IN ('ready', 'sending', 'delivered', 'parked', 'merged', 'dropped')", name="state"
    ),
    CheckConstraint("(due_at IS NOT NULL) = (state IN ('ready', 'sending'))", name="due_at"),
    Index("uq_deliveries_source_id", "source_id", unique=True),
    partial_index("ix_deliveries_requested", "received_at", "source_id", where=REQUESTED),
    partial_index("ix_deliveries_refused_request", "contact_key", "kind", where=REFUSED_REQUEST),
    partial_index("ix_deliveries_due", "due_at", "id", where=UNFINISHED),
    partial_index("ix_deliveries_contact", "contact_key", "id", where=UNFINISHED),
    partial_index("ix_deliveries_waiting", "received_at", "due_at", where=UNFINISHED),
    partial_index("ix_deliveries_parked", "id", where=PARKED),
    partial_index("ix_deliveries_cause", "cause", "id", where=HAS_CAUSE),
    partial_index("ix_deliveries_finished", "finished_at", where=KEEPS_PAYLOAD),
    # The database itself forbids two calls for one contact at a time.
    partial_index("uq_deliveries_sending", "contact_key", where=SENDING, unique=True),
    sqlite_autoincrement=True,
)

# One row per call: inserted with the claim, ended with the call's outcome. Never ended: the outcome is
# unknown.
attempts = Table(
    "attempts",
    metadata,
    numbered(),
    Column("delivery_id", BigInteger, ForeignKey("deliveries.id"), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    # Ids of the other deliveries merged into the call; until it has ended, of those that may be merged.
    Column("carried", Text, nullable=False),
    Column("outcome", Text),
    # The vendor's own sentence where it refused, shortened and without personal data.
    Column("vendor_said", Text),
    Index("ix_attempts_delivery_id", "delivery_id"),
    Index("ix_attempts_started_at", "started_at"),
)

budget = Table(
    "budget",
    metadata,
    Column("name", Text, primary_key=True),
    Column("day", Text, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("calls", Text, nullable=False),
    Column("paused_until", BigInteger),
    Column("pause_reason", Text),
    Column("failures", BigInteger, nullable=False),
    Column("guard_ms", BigInteger, nullable=False, server_default="100"),
    Column("guard_since", BigInteger),
    Column("probe_until", BigInteger),
    Column("refusals", Text, nullable=False, server_default="{}"),
    Column("causes", Text, nullable=False, server_default="[]"),
)
