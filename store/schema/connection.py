"""The OAuth connection, its authorization requests and its audit."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Table, Text, false

from store.schema.columns import metadata, numbered, required

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
    numbered(),
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
    *required(Text, "browser_hash", "verifier_sealed", "redirect_uri"),
    *required(BigInteger, "created_at", "expires_at"),
    Index("ix_oauth_attempts_expires_at", "expires_at"),
)
