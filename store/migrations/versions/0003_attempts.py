"""One row per call, deliveries that carry others, and a budget that learns from the vendor's answers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("state IN ('ready', 'sending')")
_KEEPS_PAYLOAD = sa.text("state IN ('delivered', 'merged') AND payload <> '{}'")


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("merged_into", sa.BigInteger()))
    op.add_column("deliveries", sa.Column("alone", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.drop_index("ix_deliveries_waiting", "deliveries")
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["received_at", "due_at"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index(
        "ix_deliveries_finished",
        "deliveries",
        ["finished_at"],
        sqlite_where=_KEEPS_PAYLOAD,
        postgresql_where=_KEEPS_PAYLOAD,
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("carried", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_attempts_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_delivery_id", "attempts", ["delivery_id"])
    op.create_index("ix_attempts_started_at", "attempts", ["started_at"])
    op.add_column("budget", sa.Column("guard_ms", sa.BigInteger(), server_default="100", nullable=False))
    op.add_column("budget", sa.Column("guard_since", sa.BigInteger()))
    op.add_column("budget", sa.Column("probe_until", sa.BigInteger()))
    op.add_column("budget", sa.Column("refusals", sa.Text(), server_default="{}", nullable=False))
    if op.get_bind().dialect.name == "postgresql":
        # Each delivery leaves dead entries at the head of the index of due rows, where every claim begins; a
        # fifth of all sign-ups there ever were, the default, is far too many to wait for.
        op.execute(
            "ALTER TABLE deliveries SET"
            " (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)"
        )
