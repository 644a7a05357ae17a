"""The first tables: campaigns with their devices, models, cells, builds, blocks and launches."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
    )
    with op.batch_alter_table("campaign", schema=None) as batch_op:
        batch_op.create_index("ix_campaign_started_at", ["started_at"], unique=False)

    op.create_table(
        "block",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("grouping", sa.Text(), nullable=False),
        sa.Column("pass", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("canary_after", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('begun', 'complete', 'torn')", name=op.f("ck_block_state")),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_block_campaign")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_block")),
    )
    with op.batch_alter_table("block", schema=None) as batch_op:
        batch_op.create_index("ix_block_campaign", ["campaign", "position"], unique=False)

    op.create_table(
        "build",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=True),
        sa.Column("zip_bytes", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("codec", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_build_campaign")),
        sa.PrimaryKeyConstraint("campaign", "model", "name", name=op.f("pk_build")),
    )
    op.create_table(
        "cell",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("is_source", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_cell_campaign")),
        sa.PrimaryKeyConstraint("campaign", "id", name=op.f("pk_cell")),
    )
    with op.batch_alter_table("cell", schema=None) as batch_op:
        batch_op.create_index("ix_cell_id", ["id"], unique=False)

    op.create_table(
        "device",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("simulated", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_device_campaign")),
        sa.PrimaryKeyConstraint("campaign", "position", name=op.f("pk_device")),
    )
    op.create_table(
        "exclusion",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_exclusion_campaign")),
        sa.PrimaryKeyConstraint("campaign", "position", name=op.f("pk_exclusion")),
    )
    op.create_table(
        "model",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_model_campaign")),
        sa.PrimaryKeyConstraint("campaign", "position", name=op.f("pk_model")),
    )
    op.create_table(
        "launch",
        sa.Column("block", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Text(), nullable=False),
        sa.Column("pass", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("wall_s", sa.Float(), nullable=True),
        sa.Column("median_ns", sa.Float(), nullable=True),
        sa.Column("codec", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=True),
        sa.Column("ops", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["block"], ["block.id"], name=op.f("fk_launch_block")),
        sa.ForeignKeyConstraint(["campaign", "cell"], ["cell.campaign", "cell.id"], name=op.f("fk_launch_campaign")),
        sa.PrimaryKeyConstraint("block", "position", name=op.f("pk_launch")),
        sa.UniqueConstraint("attempt", name=op.f("uq_launch_attempt")),
    )
    with op.batch_alter_table("launch", schema=None) as batch_op:
        batch_op.create_index("ix_launch_cell", ["campaign", "cell"], unique=False)
