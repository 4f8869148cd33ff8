"""All that a form may ask for and prove, and the sign-ups that look like a program's, kept apart."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("referrer", "custom_fields", "tags", "sms"):
        op.add_column("signups", sa.Column(name, sa.Text()))
    op.create_table(
        "suspected_signups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("form_id", sa.BigInteger()),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("released_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspected_signups")),
    )
    op.create_index("ix_suspected_signups_received_at", "suspected_signups", ["received_at", "id"])
