"""The tables, as the last migration leaves them; a test compares them with the migrations."""

import sqlalchemy as sa

metadata = sa.MetaData()
_MOMENT = sa.DateTime(timezone=True)

_OVER = sa.text("status IN ('delivered', 'cancelled')")  # what an order never leaves again

products = sa.Table(
    "shop_products",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("category", sa.String(32), nullable=False),
    sa.Column("description", sa.String(400), nullable=False),
    sa.Column("price", sa.BigInteger, nullable=False),
    sa.Index("shop_products_category", "category", "id"),
)
users = sa.Table(
    "shop_users",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("password_hash", sa.String(160), nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
)
cart_items = sa.Table(
    "shop_cart_items",
    metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("product_id", sa.String(32), primary_key=True),
    sa.Column("quantity", sa.SmallInteger, nullable=False),
)
payments = sa.Table(
    "shop_payments",
    metadata,
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
    sa.Column("review_at", _MOMENT),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("settled_at", _MOMENT),
    # What makes a repeated key charge once, whichever replica is asked.
    sa.UniqueConstraint("buyer", "idempotency_key", name="shop_payments_once"),
    sa.Index("shop_payments_review", "review_at", postgresql_where=sa.text("review_at IS NOT NULL")),
)
orders = sa.Table(
    "shop_orders",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("payment_id", sa.Uuid, sa.ForeignKey("shop_payments.id"), nullable=False, unique=True),
    sa.Column("buyer", sa.Uuid, nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("pieces", sa.Integer, nullable=False),
    sa.Column("due_at", _MOMENT),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("updated_at", _MOMENT, nullable=False),
    sa.Index("shop_orders_buyer", "buyer", "created_at"),
    sa.Index("shop_orders_over", "updated_at", postgresql_where=_OVER),
    sa.Index("shop_orders_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
)
order_items = sa.Table(
    "shop_order_items",
    metadata,
    # A copy of what was bought: no reference to the product, whose name and price may change.
    sa.Column("order_id", sa.Uuid, sa.ForeignKey("shop_orders.id"), primary_key=True),
    sa.Column("product_id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("unit_price", sa.BigInteger, nullable=False),
)
keys = sa.Table(
    "shop_keys",
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)
