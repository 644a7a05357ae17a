"""Troubles of devices over campaigns, and why a block was torn.

Devices gained their serial, clusters and details, conditions their caps, battery, thermal status, neighbours and what
was prepared, campaigns the limits of their devices, blocks how long they waited and for what in vain.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trouble",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_trouble_campaign")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trouble")),
    )
    with op.batch_alter_table("trouble", schema=None) as batch_op:
        batch_op.create_index("ix_trouble_device", ["device", "id"], unique=False)
        batch_op.create_index("ix_trouble_campaign", ["campaign"], unique=False)
    op.add_column("block", sa.Column("why", sa.Text(), nullable=True))
