"""What people submitted, and what is counted of it."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from store.schema.columns import metadata, partial_index, required

WAITS = text("released_at IS NULL")

# `deliveries.source` of the deliveries that a sign-up asked for.
SIGNUP = "signup"

signups = Table(
    "signups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    *required(Text, "contact_key", "email", "person", "list_ids"),
    Column("source", Text),
    Column("consent", Text),
    Column("page", Text),
    Column("network_address", Text),
    Column("user_agent", Text),
    Column("asked_by", Text, nullable=False),
    # No foreign key: SQLite would copy the whole table to add one. Forms are archived, never deleted.
    Column("form_id", BigInteger),
    Column("consent_version", BigInteger),
    # The page from which the visitor came to `page`.
    Column("referrer", Text),
    Column("custom_fields", Text),
    Column("tags", Text),
    Column("sms", Text),
    # The value that the form sent for the consent, shortened; `consent` is the wording it agreed to, if it
    # did.
    Column("consent_sent", Text),
    Index("ix_signups_received_at", "received_at", "id"),
)

# A table of their own, so that no query that counts, shows or delivers sign-ups can include one by mistake.
suspected_signups = Table(
    "suspected_signups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Column("form_id", BigInteger),
    Column("reasons", Text, nullable=False),
    # The rows of the sign-up and of its delivery, which a release inserts.
    Column("document", Text, nullable=False),
    Column("released_at", BigInteger),
    # How likely the sign-up is a person's, see store/signups/suspected.py; no program deletes one of rank 0.
    Column("rank", Integer, nullable=False, server_default="1"),
    # For the search; empty in a row that an earlier release had spooled.
    Column("contact_key", Text),
    # The size of `document`.
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Index("ix_suspected_signups_received_at", "received_at", "id"),
    Index("ix_suspected_signups_rank", "rank", "received_at", "id"),
    Index("ix_suspected_signups_contact", "contact_key"),
    # Includes `bytes`, so that their sum is read from the index alone.
    partial_index("ix_suspected_signups_waiting", "received_at", "id", "bytes", where=WAITS),
)

# One row: how many suspected sign-ups wait, their size, and how many were not kept because the limit was
# reached.
suspected_room = Table(
    "suspected_room",
    metadata,
    Column("name", Text, primary_key=True),
    *required(BigInteger, "rows", "bytes", "dropped"),
    Column("dropped_at", BigInteger),
)

# A window is a ring of slices, see store/signups/rate_limits.py: the count of the newest, of the one before,
# …
RATE_WINDOWS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}

RATE_SLICES = 6

rates = Table(
    "rates",
    metadata,
    Column("key", Text, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    *(
        Column(f"{window}_{part}", BigInteger, nullable=False, server_default="0")
        for window in RATE_WINDOWS
        for part in ("slice", *range(RATE_SLICES + 1))
    ),
    Index("ix_rates_expires_at", "expires_at"),
)

# No foreign key: a sign-up may be erased before its key expires.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key_hash", Text, primary_key=True),
    *required(Text, "body_hash", "signup_id"),
    *required(BigInteger, "created_at"),
    Index("ix_idempotency_keys_created_at", "created_at"),
)
