"""Every table, for SQLite and PostgreSQL alike; times are epoch milliseconds, documents are JSON in TEXT."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TextClause,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# SQLite uses a partial index only where the query repeats its condition literally, so both take it from here.
UNFINISHED = text("state IN ('ready', 'sending')")
SENDING = text("state = 'sending'")
PARKED = text("state = 'parked'")
WAITS = text("released_at IS NULL")
KEEPS_PAYLOAD = text("state IN ('delivered', 'merged', 'dropped') AND payload <> '{}'")
# Deliveries that no sign-up asked for, which are few.
REQUESTED = text("source <> 'signup'")
REFUSED_REQUEST = text("state = 'parked' AND source <> 'signup'")
ENDED = text("state IN ('sent', 'given_up')")
HAS_CAUSE = text("state = 'parked' AND cause IS NOT NULL")

# `deliveries.source` of the deliveries that a sign-up asked for.
SIGNUP = "signup"


def _partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _required(kind: type[BigInteger | Text], *names: str) -> list[Column[Any]]:
    return [Column(name, kind, nullable=False) for name in names]


def _numbered() -> Column[int]:
    # SQLite numbers rows only where the type is spelled INTEGER.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


signups = Table(
    "signups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    *_required(Text, "contact_key", "email", "person", "list_ids"),
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

forms = Table(
    "forms",
    metadata,
    _numbered(),
    *_required(Text, "slug", "name", "definition"),
    *_required(BigInteger, "created_at", "updated_at"),
    Column("archived_at", BigInteger),
    Index("uq_forms_slug", "slug", unique=True),
)

consent_wordings = Table(
    "consent_wordings",
    metadata,
    Column("form_id", BigInteger, ForeignKey("forms.id"), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("wording", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
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
    _partial_index("ix_suspected_signups_waiting", "received_at", "id", "bytes", where=WAITS),
)

# One row: how many suspected sign-ups wait, their size, and how many were not kept because the limit was
# reached.
suspected_room = Table(
    "suspected_room",
    metadata,
    Column("name", Text, primary_key=True),
    *_required(BigInteger, "rows", "bytes", "dropped"),
    Column("dropped_at", BigInteger),
)

deliveries = Table(
    "deliveries",
    metadata,
    _numbered(),
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
    _partial_index("ix_deliveries_requested", "received_at", "source_id", where=REQUESTED),
    _partial_index("ix_deliveries_refused_request", "contact_key", "kind", where=REFUSED_REQUEST),
    _partial_index("ix_deliveries_due", "due_at", "id", where=UNFINISHED),
    _partial_index("ix_deliveries_contact", "contact_key", "id", where=UNFINISHED),
    _partial_index("ix_deliveries_waiting", "received_at", "due_at", where=UNFINISHED),
    _partial_index("ix_deliveries_parked", "id", where=PARKED),
    _partial_index("ix_deliveries_cause", "cause", "id", where=HAS_CAUSE),
    _partial_index("ix_deliveries_finished", "finished_at", where=KEEPS_PAYLOAD),
    # The database itself forbids two calls for one contact at a time.
    _partial_index("uq_deliveries_sending", "contact_key", where=SENDING, unique=True),
    sqlite_autoincrement=True,
)

# One row per call: inserted with the claim, ended with the call's outcome. Never ended: the outcome is
# unknown.
attempts = Table(
    "attempts",
    metadata,
    _numbered(),
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

# Contacts that unsubscribed at the vendor, by a hash of the address: only look-ups are needed, and erasing a
# person keeps the opt-out.
opt_outs = Table(
    "opt_outs",
    metadata,
    Column("contact_hash", Text, primary_key=True),
    Column("left_at", BigInteger, nullable=False),
    # When the vendor was last made to ask this contact whether to come back.
    Column("asked_at", BigInteger),
)

# How far the account's list of opt-outs was read: one row, see store/opt_outs.py.
opt_out_refresh = Table(
    "opt_out_refresh",
    metadata,
    Column("name", Text, primary_key=True),
    *_required(BigInteger, "refreshed_at", "doubts", "settled"),
    Column("began_at", BigInteger),
    Column("began_with", BigInteger),
    Column("page", Text),
    *_required(BigInteger, "lease_until", "try_at", "failures"),
    Column("day", Text, nullable=False),
    Column("pages", BigInteger, nullable=False),
)

connection = Table(
    "connection",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("access_sealed", Text),
    Column("refresh_sealed", Text),
    Column("access_expires_at", BigInteger),
    Column("access_issued_at", BigInteger),
    Column("scope", Text),
    Column("connected_at", BigInteger),
    Column("refreshed_at", BigInteger),
    Column("failures", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("next_refresh_at", BigInteger),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("refresh_issued_at", BigInteger),
    Column("refresh_used_at", BigInteger),
    Column("fingerprint", Text),
    Column("account_id", Text),
    Column("account_name", Text),
    Column("account_user", Text),
    Column("connected_by", Text),
    Column("attempt_started_at", BigInteger),
    Column("outcome_unknown", Boolean, nullable=False, server_default=false()),
    Column("forced_at", BigInteger),
    Column("seed_hash", Text),
    CheckConstraint(
        "state IN ('not_configured', 'disconnected', 'connected', 'refresh_failing', 'needs_reauthorization',"
        " 'credentials_rejected', 'api_rejected', 'undecryptable', 'foreign_installation')",
        name="state",
    ),
)

events = Table(
    "events",
    metadata,
    _numbered(),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("detail", Text),
    Column("actor", Text),
    Index("ix_events_at", "at", "id"),
)

oauth_attempts = Table(
    "oauth_attempts",
    metadata,
    Column("state_hash", Text, primary_key=True),
    *_required(Text, "browser_hash", "verifier_sealed", "redirect_uri"),
    *_required(BigInteger, "created_at", "expires_at"),
    Index("ix_oauth_attempts_expires_at", "expires_at"),
)

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

throttles = Table(
    "throttles",
    metadata,
    Column("key", Text, primary_key=True),
    *_required(BigInteger, "window_start", "hits", "expires_at"),
    Index("ix_throttles_expires_at", "expires_at"),
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

spent_tokens = Table(
    "spent_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_spent_tokens_expires_at", "expires_at"),
)

# No foreign key: a sign-up may be erased before its key expires.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key_hash", Text, primary_key=True),
    *_required(Text, "body_hash", "signup_id"),
    *_required(BigInteger, "created_at"),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

# Mail and calls of webhooks that this service sends to people and programs of its own side: an outbox.
messages = Table(
    "messages",
    metadata,
    _numbered(),
    # What the receiver knows a repeat by: Message-ID, webhook-id.
    Column("message_id", Text, nullable=False),
    # By which way: "email" or "webhook"; the webhook's address stands in the settings only.
    Column("channel", Text, nullable=False),
    *_required(Text, "recipient", "subject", "body"),
    Column("created_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    # When the row may be claimed: the end of its lease while it is sending; empty once it is finished.
    Column("due_at", BigInteger),
    *_required(BigInteger, "fence", "attempts"),
    # Whether this message alone was refused, so that it holds up no younger one.
    Column("refused", Boolean, nullable=False),
    Column("last_error", Text),
    Column("finished_at", BigInteger),
    CheckConstraint("state IN ('ready', 'sending', 'sent', 'given_up')", name="state"),
    CheckConstraint("(due_at IS NOT NULL) = (state IN ('ready', 'sending'))", name="due_at"),
    Index("uq_messages_message_id", "message_id", unique=True),
    _partial_index("ix_messages_due", "due_at", "id", where=UNFINISHED),
    _partial_index("ix_messages_unfinished", "channel", "recipient", "id", where=UNFINISHED),
    _partial_index("ix_messages_finished", "finished_at", where=ENDED),
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
