"""The first schema: catalogue, users, carts, payments, orders and the signing key."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From an empty database."""
    _catalogue_and_users()
    _payments()
    _orders()
    op.create_table(
        "shop_keys",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )


def _catalogue_and_users() -> None:
    op.create_table(
        "shop_products",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("category", sa.String(32), nullable=False),
        sa.Column("description", sa.String(400), nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
    )
    op.create_index("shop_products_category", "shop_products", ["category", "id"])
    op.create_table(
        "shop_users",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("password_hash", sa.String(160), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "shop_cart_items",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("product_id", sa.String(32), primary_key=True),
        sa.Column("quantity", sa.SmallInteger, nullable=False),
    )


def _payments() -> None:
    op.create_table(
        "shop_payments",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("buyer", sa.Uuid, nullable=False),
        sa.Column("idempotency_key", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("decision", sa.String(8)),
        sa.Column("risk_level", sa.String(8)),
        sa.Column("risk_score", sa.Float),
        sa.Column("evaluation", sa.JSON, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("status_code", sa.SmallInteger, nullable=False),
        sa.Column("wrong_codes", sa.SmallInteger, nullable=False),
        sa.Column("review_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("buyer", "idempotency_key", name="shop_payments_once"),
    )
    due = sa.text("review_at IS NOT NULL")
    op.create_index("shop_payments_review", "shop_payments", ["review_at"], postgresql_where=due)


def _orders() -> None:
    op.create_table(
        "shop_orders",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("payment_id", sa.Uuid, sa.ForeignKey("shop_payments.id"), nullable=False, unique=True),
        sa.Column("buyer", sa.Uuid, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("pieces", sa.Integer, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("shop_orders_buyer", "shop_orders", ["buyer", "created_at"])
    due = sa.text("due_at IS NOT NULL")
    op.create_index("shop_orders_due", "shop_orders", ["due_at"], postgresql_where=due)
    op.create_table(
        "shop_order_items",
        sa.Column("order_id", sa.Uuid, sa.ForeignKey("shop_orders.id"), primary_key=True),
        sa.Column("product_id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
    )
