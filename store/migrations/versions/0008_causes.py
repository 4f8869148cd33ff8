"""Sign-ups that are put aside for what they have in common, and those that a person dropped."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_WITHOUT = "state IN ('ready', 'sending', 'delivered', 'parked', 'merged')"
_WITH = "state IN ('ready', 'sending', 'delivered', 'parked', 'merged', 'dropped')"
_HAS_CAUSE = sa.text("state = 'parked' AND cause IS NOT NULL")
_KEPT_PAYLOAD = sa.text("state IN ('delivered', 'merged') AND payload <> '{}'")
_KEEPS_PAYLOAD = sa.text("state IN ('delivered', 'merged', 'dropped') AND payload <> '{}'")


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("cause", sa.Text()))
    op.add_column("deliveries", sa.Column("note", sa.Text()))
    op.add_column("budget", sa.Column("causes", sa.Text(), server_default="[]", nullable=False))
    _check_states(_WITHOUT, _WITH)
    op.create_index(
        "ix_deliveries_cause",
        "deliveries",
        ["cause", "id"],
        sqlite_where=_HAS_CAUSE,
        postgresql_where=_HAS_CAUSE,
    )
    _index_finished(_KEEPS_PAYLOAD)


def downgrade() -> None:
    # Nothing is sent that was dropped: a person looks at it.
    op.execute("UPDATE deliveries SET state = 'parked', last_error = note WHERE state = 'dropped'")
    op.drop_index("ix_deliveries_cause", "deliveries")
    _index_finished(_KEPT_PAYLOAD)
    _check_states(_WITH, _WITHOUT)
    op.drop_column("budget", "causes")
    op.drop_column("deliveries", "note")
    op.drop_column("deliveries", "cause")


def _index_finished(where: sa.TextClause) -> None:
    op.drop_index("ix_deliveries_finished", "deliveries")
    op.create_index(
        "ix_deliveries_finished",
        "deliveries",
        ["finished_at"],
        sqlite_where=where,
        postgresql_where=where,
    )


def _check_states(before: str, after: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_deliveries_state"), "deliveries", type_="check")
        op.create_check_constraint(op.f("ck_deliveries_state"), "deliveries", after)
        return
    # It changes no row, so the table need not be copied, which could take minutes. The procedure is SQLite's
    # own for what does not affect the content: https://sqlite.org/lang_altertable.html#otheralter
    version = op.get_bind().exec_driver_sql("PRAGMA schema_version").scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    changed = op.get_bind().execute(
        sa.text(
            "UPDATE sqlite_schema SET sql = replace(sql, :before, :after)"
            " WHERE type = 'table' AND name = 'deliveries' AND instr(sql, :before)"
        ),
        {"before": before, "after": after},
    )
    if changed.rowcount != 1:
        raise RuntimeError("the table deliveries has another check of its states than this release knows")
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")
