"""What Constant Contact itself said of a call that it refused."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("vendor_said", sa.Text()))
    op.add_column("attempts", sa.Column("vendor_said", sa.Text()))


def downgrade() -> None:
    op.drop_column("attempts", "vendor_said")
    op.drop_column("deliveries", "vendor_said")
