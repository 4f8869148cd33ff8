"""What was sent for a consent, beside the wording that it meant."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signups", sa.Column("consent_sent", sa.Text()))


def downgrade() -> None:
    op.drop_column("signups", "consent_sent")
