"""Small tables: kept values, throttles, and links and sessions that are used up."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from store.schema.columns import metadata, required

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
    *required(BigInteger, "window_start", "hits", "expires_at"),
    Index("ix_throttles_expires_at", "expires_at"),
)

spent_tokens = Table(
    "spent_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_spent_tokens_expires_at", "expires_at"),
)
