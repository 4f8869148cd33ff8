"""Messages to the people who look after the service, and what they were told of."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("state IN ('ready', 'sending')")
_ENDED = sa.text("state IN ('sent', 'given_up')")


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("finished_at", sa.BigInteger()),
        sa.CheckConstraint(
            "state IN ('ready', 'sending', 'sent', 'given_up')", name=op.f("ck_messages_state")
        ),
        sa.CheckConstraint(
            "(due_at IS NOT NULL) = (state IN ('ready', 'sending'))", name=op.f("ck_messages_due_at")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index("uq_messages_message_id", "messages", ["message_id"], unique=True)
    op.create_index(
        "ix_messages_due",
        "messages",
        ["due_at", "id"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index(
        "ix_messages_unfinished",
        "messages",
        ["channel", "recipient", "id"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index(
        "ix_messages_finished", "messages", ["finished_at"], sqlite_where=_ENDED, postgresql_where=_ENDED
    )
    op.create_table(
        "alerts",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger()),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("told_at", sa.BigInteger()),
        sa.Column("untold", sa.BigInteger(), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_alerts")),
    )


def downgrade() -> None:
    op.drop_table("alerts")
    op.drop_table("messages")
