"""No table changes: devices, conditions and launches gained what boards and phones tell.

Serial, clusters and details of a device; caps of clocks, battery, thermal status, neighbours and what was prepared;
what a tool that keeps no samples told of a launch.
"""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
