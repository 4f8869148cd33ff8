"""Who unsubscribed at Constant Contact, as far as it was read."""

from sqlalchemy import BigInteger, Column, Table, Text

from store.schema.columns import metadata, required

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
    *required(BigInteger, "refreshed_at", "doubts", "settled"),
    Column("began_at", BigInteger),
    Column("began_with", BigInteger),
    Column("page", Text),
    *required(BigInteger, "lease_until", "try_at", "failures"),
    Column("day", Text, nullable=False),
    Column("pages", BigInteger, nullable=False),
)
