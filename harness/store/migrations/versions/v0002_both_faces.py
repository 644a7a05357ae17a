"""No table changes: cells, launches and devices gained fields that an older weighbridge does not know.

Operator settings and signatures of cells, both faces of LiteRT, delegation, cold starts.
"""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
