"""What keeps a connection alive: ages of the refresh token, the account, attempts; and the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection", sa.Column("refresh_issued_at", sa.BigInteger()))
    op.add_column("connection", sa.Column("refresh_used_at", sa.BigInteger()))
    op.add_column("connection", sa.Column("fingerprint", sa.Text()))
    op.add_column("connection", sa.Column("account_id", sa.Text()))
    op.add_column("connection", sa.Column("account_name", sa.Text()))
    op.add_column("connection", sa.Column("account_user", sa.Text()))
    op.add_column("connection", sa.Column("connected_by", sa.Text()))
    op.add_column("connection", sa.Column("attempt_started_at", sa.BigInteger()))
    op.add_column(
        "connection", sa.Column("outcome_unknown", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("connection", sa.Column("forced_at", sa.BigInteger()))
    op.add_column("connection", sa.Column("seed_hash", sa.Text()))
    # The last answer brought the refresh token or, where the vendor does not rotate, was its last use:
    # either way its 180 idle days began then.
    op.execute(
        "UPDATE connection SET refresh_issued_at = refreshed_at,"
        " refresh_used_at = CASE WHEN refreshed_at > connected_at THEN refreshed_at END"
        " WHERE refresh_sealed IS NOT NULL"
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.Column("actor", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_at", "events", ["at", "id"])
