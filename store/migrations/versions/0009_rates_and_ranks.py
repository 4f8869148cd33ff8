"""Rates by the minute, hour and day, and how likely a suspected sign-up is a person's."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BATCH = 500
# What no person does; the names of the rules are those of the release that wrote them.
JUNK = ("honeypot", "disposable")


def upgrade() -> None:
    counts = [
        sa.Column(f"{window}_{part}", sa.BigInteger(), nullable=False, server_default="0")
        for window in ("minute", "hour", "day")
        for part in ("slice", 0, 1, 2, 3, 4, 5, 6)
    ]
    op.create_table(
        "rates",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        *counts,
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rates")),
    )
    op.create_index("ix_rates_expires_at", "rates", ["expires_at"])
    op.add_column("suspected_signups", sa.Column("rank", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("suspected_signups", sa.Column("contact_key", sa.Text()))
    _fill_in(op.get_bind())
    op.create_index("ix_suspected_signups_rank", "suspected_signups", ["rank", "received_at", "id"])
    op.create_index("ix_suspected_signups_contact", "suspected_signups", ["contact_key"])


def _fill_in(connection: sa.Connection) -> None:
    """Here and not in SQL, which cannot read every document that an earlier release has stored."""
    page = sa.text(
        "SELECT id, reasons, document FROM suspected_signups WHERE id > :after ORDER BY id LIMIT :most"
    )
    change = sa.text("UPDATE suspected_signups SET rank = :rank, contact_key = :contact WHERE id = :id")
    after = ""
    while rows := connection.execute(page, {"after": after, "most": BATCH}).all():
        connection.execute(change, [_known(row) for row in rows])
        after = rows[-1].id


def _known(row: sa.Row[tuple[str, str, str]]) -> dict[str, object]:
    junk = any(rule in row.reasons for rule in JUNK)
    try:
        contact = json.loads(row.document)["signup"]["contact_key"]
    except (ValueError, LookupError, TypeError):
        contact = None  # damaged: an upgrade that stops here would stop the service
    return {"id": row.id, "rank": 2 if junk else 1, "contact": contact}


def downgrade() -> None:
    op.drop_index("ix_suspected_signups_contact", "suspected_signups")
    op.drop_index("ix_suspected_signups_rank", "suspected_signups")
    op.drop_column("suspected_signups", "contact_key")
    op.drop_column("suspected_signups", "rank")
    op.drop_table("rates")
