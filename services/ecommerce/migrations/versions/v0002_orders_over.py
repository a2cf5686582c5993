"""An index of the orders that are over, by which the old ones are found."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From the first schema."""
    over = sa.text("status IN ('delivered', 'cancelled')")
    op.create_index("shop_orders_over", "shop_orders", ["updated_at"], postgresql_where=over)
