"""The tables. What a question is asked about is a column; what is only read back whole is JSON or a blob.

`content` columns are JSON of the noun itself (harness.store.codec) and the truth; the columns beside it repeat parts of
it for queries. Times are seconds since the epoch, durations as their names say. Change tables by a new migration alone.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _of_campaign() -> Column[str]:
    return Column("campaign", Text, ForeignKey("campaign.id"), primary_key=True)


CAMPAIGN = Table(
    "campaign",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("version", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Index("ix_campaign_started_at", "started_at"),
)

DEVICE = Table(
    "device",
    METADATA,
    _of_campaign(),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("simulated", Integer, nullable=False),
    Column("content", Text, nullable=False),
)

MODEL = Table(
    "model",
    METADATA,
    _of_campaign(),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text),
    Column("error", Text),
    Column("content", Text, nullable=False),
)

EXCLUSION = Table(
    "exclusion",
    METADATA,
    _of_campaign(),
    Column("position", Integer, primary_key=True),
    Column("what", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("content", Text, nullable=False),
)

CELL = Table(
    "cell",
    METADATA,
    _of_campaign(),
    Column("id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("variant", Text, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("is_source", Integer, nullable=False),
    Column("skipped", Text),
    Column("content", Text, nullable=False),
    Index("ix_cell_id", "id"),
)

BUILD = Table(
    "build",
    METADATA,
    _of_campaign(),
    Column("position", Integer, nullable=False),
    Column("model", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("recipe", Text, nullable=False),
    Column("digest", Text),
    Column("size_bytes", Integer),
    Column("zip_bytes", Integer),
    Column("error", Text),
    Column("codec", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

BLOCK = Table(
    "block",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("campaign", Text, ForeignKey("campaign.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("device", Text, nullable=False),
    Column("grouping", Text, nullable=False),
    Column("pass", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("canary_after", Text),
    Column("why", Text),
    CheckConstraint("state IN ('begun', 'complete', 'torn')", name="state"),
    Index("ix_block_campaign", "campaign", "position"),
)

LAUNCH = Table(
    "launch",
    METADATA,
    Column("block", Text, ForeignKey("block.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("campaign", Text, nullable=False),
    Column("cell", Text, nullable=False),
    Column("attempt", Text, nullable=False),
    Column("pass", Text, nullable=False),
    Column("failure", Text),
    Column("exit_code", Integer),
    Column("started_at", Float),
    Column("wall_s", Float),
    Column("median_ns", Float),
    Column("codec", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("samples", LargeBinary),
    Column("ops", LargeBinary),
    ForeignKeyConstraint(["campaign", "cell"], ["cell.campaign", "cell.id"]),
    UniqueConstraint("attempt"),
    Index("ix_launch_cell", "campaign", "cell"),
)

TROUBLE = Table(
    "trouble",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("device", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("campaign", Text, ForeignKey("campaign.id")),
    Column("kind", Text, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_trouble_device", "device", "id"),
    Index("ix_trouble_campaign", "campaign"),
)
