"""Who left at the vendor and when, and how far the account's list of them was read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "opt_outs",
        sa.Column("contact_hash", sa.Text(), nullable=False),
        sa.Column("left_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("contact_hash", name=op.f("pk_opt_outs")),
    )
    refresh = op.create_table(
        "opt_out_refresh",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("refreshed_at", sa.BigInteger(), nullable=False),
        sa.Column("doubts", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger()),
        sa.Column("began_with", sa.BigInteger()),
        sa.Column("page", sa.Text()),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("try_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("pages", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_opt_out_refresh")),
    )
    row = dict.fromkeys(
        ("refreshed_at", "doubts", "settled", "lease_until", "try_at", "failures", "pages"), 0
    )
    op.bulk_insert(refresh, [{"name": "default", "day": "", **row}])
