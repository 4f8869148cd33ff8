"""Deliveries that no sign-up asked for: `source` and `source_id` take the place of the sign-up's id."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_REQUESTED = sa.text("source <> 'signup'")
_REFUSED_REQUEST = sa.text("state = 'parked' AND source <> 'signup'")
# The last constraint of SQLite's table, and the end of the one before it.
_REFERENCE = ", CONSTRAINT fk_deliveries_signup_id FOREIGN KEY(signup_id) REFERENCES signups (id)"
_BEFORE_IT = "'merged', 'dropped'))"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("fk_deliveries_signup_id"), "deliveries", type_="foreignkey")
    else:
        _change_table(_BEFORE_IT + _REFERENCE, _BEFORE_IT)
    op.drop_index("ix_deliveries_signup", "deliveries")
    # With both engines a change of the schema alone: no row is written.
    op.execute("ALTER TABLE deliveries RENAME COLUMN signup_id TO source_id")
    op.add_column("deliveries", sa.Column("source", sa.Text(), nullable=False, server_default="signup"))
    op.create_index("uq_deliveries_source_id", "deliveries", ["source_id"], unique=True)
    op.create_index(
        "ix_deliveries_requested",
        "deliveries",
        ["received_at", "source_id"],
        sqlite_where=_REQUESTED,
        postgresql_where=_REQUESTED,
    )
    op.create_index(
        "ix_deliveries_refused_request",
        "deliveries",
        ["contact_key", "kind"],
        sqlite_where=_REFUSED_REQUEST,
        postgresql_where=_REFUSED_REQUEST,
    )


def downgrade() -> None:
    count = "SELECT count(*) FROM deliveries WHERE source <> 'signup'"
    if others := op.get_bind().exec_driver_sql(count).scalar():
        # The release before would send each of them as a sign-up.
        raise RuntimeError(
            f"{others} deliveries were asked for by no sign-up, which the release before does not know."
            " Restore a backup of before the upgrade, or delete them and their attempts first."
        )
    op.drop_index("ix_deliveries_refused_request", "deliveries")
    op.drop_index("ix_deliveries_requested", "deliveries")
    op.drop_index("uq_deliveries_source_id", "deliveries")
    op.drop_column("deliveries", "source")
    op.execute("ALTER TABLE deliveries RENAME COLUMN source_id TO signup_id")
    op.create_index("ix_deliveries_signup", "deliveries", ["signup_id"], unique=True)
    if op.get_bind().dialect.name == "postgresql":
        op.create_foreign_key(op.f("fk_deliveries_signup_id"), "deliveries", "signups", ["signup_id"], ["id"])
    else:
        _change_table(_BEFORE_IT, _BEFORE_IT + _REFERENCE)


def _change_table(before: str, after: str) -> None:
    """Change a constraint of SQLite's table without copying its rows, which could take minutes.

    The procedure is SQLite's own for what does not affect the content:
    https://sqlite.org/lang_altertable.html#otheralter
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    find = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'deliveries'"
    on_one_line = " ".join(connection.exec_driver_sql(find).scalar_one().split())
    if before not in on_one_line:
        raise RuntimeError("the table deliveries has other constraints than this release knows")
    op.execute("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text("UPDATE sqlite_schema SET sql = :sql WHERE type = 'table' AND name = 'deliveries'"),
        {"sql": on_one_line.replace(before, after)},
    )
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")
