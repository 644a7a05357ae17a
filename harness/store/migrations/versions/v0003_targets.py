"""No table changes: models, variants, specs and cells gained the deployment target of Core ML programs."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
