"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("state IN ('ready', 'sending')")
_SENDING = sa.text("state = 'sending'")
_PARKED = sa.text("state = 'parked'")
_CONNECTION_STATES = (
    "state IN ('not_configured', 'disconnected', 'connected', 'refresh_failing', 'needs_reauthorization',"
    " 'credentials_rejected', 'api_rejected', 'undecryptable', 'foreign_installation')"
)


def upgrade() -> None:
    op.create_table(
        "budget",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Text(), nullable=False),
        sa.Column("paused_until", sa.BigInteger()),
        sa.Column("pause_reason", sa.Text()),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_budget")),
    )
    op.create_table(
        "connection",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("access_sealed", sa.Text()),
        sa.Column("refresh_sealed", sa.Text()),
        sa.Column("access_expires_at", sa.BigInteger()),
        sa.Column("access_issued_at", sa.BigInteger()),
        sa.Column("scope", sa.Text()),
        sa.Column("connected_at", sa.BigInteger()),
        sa.Column("refreshed_at", sa.BigInteger()),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("next_refresh_at", sa.BigInteger()),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.CheckConstraint(_CONNECTION_STATES, name=op.f("ck_connection_state")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_connection")),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "oauth_attempts",
        sa.Column("state_hash", sa.Text(), nullable=False),
        sa.Column("browser_hash", sa.Text(), nullable=False),
        sa.Column("verifier_sealed", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_oauth_attempts")),
    )
    op.create_index("ix_oauth_attempts_expires_at", "oauth_attempts", ["expires_at"])
    op.create_table(
        "signups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("contact_key", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("list_ids", sa.Text(), nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("consent", sa.Text()),
        sa.Column("page", sa.Text()),
        sa.Column("network_address", sa.Text()),
        sa.Column("user_agent", sa.Text()),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signups")),
    )
    op.create_index("ix_signups_received_at", "signups", ["received_at", "id"])
    op.create_table(
        "spent_tokens",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_spent_tokens")),
    )
    op.create_index("ix_spent_tokens_expires_at", "spent_tokens", ["expires_at"])
    op.create_table(
        "throttles",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
    )
    op.create_index("ix_throttles_expires_at", "throttles", ["expires_at"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("signup_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("contact_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("action", sa.Text()),
        sa.Column("contact_id", sa.Text()),
        sa.Column("finished_at", sa.BigInteger()),
        sa.CheckConstraint(
            "(due_at IS NOT NULL) = (state IN ('ready', 'sending'))", name=op.f("ck_deliveries_due_at")
        ),
        sa.CheckConstraint(
            "state IN ('ready', 'sending', 'delivered', 'parked', 'merged')", name=op.f("ck_deliveries_state")
        ),
        sa.ForeignKeyConstraint(["signup_id"], ["signups.id"], name=op.f("fk_deliveries_signup_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_deliveries_contact",
        "deliveries",
        ["contact_key", "id"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["due_at", "id"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index(
        "ix_deliveries_parked", "deliveries", ["id"], sqlite_where=_PARKED, postgresql_where=_PARKED
    )
    op.create_index("ix_deliveries_signup", "deliveries", ["signup_id"], unique=True)
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["received_at"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index(
        "uq_deliveries_sending",
        "deliveries",
        ["contact_key"],
        unique=True,
        sqlite_where=_SENDING,
        postgresql_where=_SENDING,
    )

    op.execute("INSERT INTO budget (name, day, used, calls, failures) VALUES ('default', '', 0, '[]', 0)")
    op.execute(
        "INSERT INTO connection (name, state, generation, epoch, failures)"
        " VALUES ('default', 'disconnected', 0, 0, 0)"
    )
