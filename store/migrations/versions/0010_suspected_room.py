"""How much room suspected sign-ups take, so that a ceiling can hold without a scan."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_WAITING = sa.text("released_at IS NULL")


def upgrade() -> None:
    size = "octet_length(document)"
    if op.get_bind().dialect.name == "sqlite":
        size = "length(CAST(document AS BLOB))"
    op.add_column(
        "suspected_signups", sa.Column("bytes", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.execute(f"UPDATE suspected_signups SET bytes = {size}")  # noqa: S608 - no value from outside
    op.create_index(
        "ix_suspected_signups_waiting",
        "suspected_signups",
        ["received_at", "id", "bytes"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_table(
        "suspected_room",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("dropped_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_suspected_room")),
    )
    op.execute(
        "INSERT INTO suspected_room (name, rows, bytes, dropped)"
        " SELECT 'default', count(*), coalesce(sum(bytes), 0), 0 FROM suspected_signups"
        " WHERE released_at IS NULL"
    )
