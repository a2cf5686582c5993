"""The statements of the books; those of a purchase are made once, not for each purchase anew."""

from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.ecommerce.tables import cart_items, order_items, orders, payments, products

NOW: Final = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))
KEPT: Final = (
    orders.c.id.label("order_id"), payments.c.id.label("payment_id"), payments.c.fingerprint,
    payments.c.status_code, payments.c.answer,
)  # fmt: skip
_GOODS: Final = (products.c.id.label("product"), products.c.name, products.c.price)


def later(seconds: float) -> sa.ColumnElement[Any]:
    """So many seconds from now, by the database's clock."""
    return NOW + timedelta(seconds=seconds)


ORDER: Final = sa.select(
    orders.c.id, orders.c.buyer, orders.c.status, orders.c.amount, orders.c.pieces.label("items"),
    orders.c.created_at, orders.c.updated_at, payments.c.id.label("payment_id"),
    payments.c.status.label("payment_status"), payments.c.reason.label("payment_reason"),
    payments.c.method.label("payment_method"),
).join(payments, payments.c.id == orders.c.payment_id)  # fmt: skip
LINES: Final = sa.select(
    order_items.c.product_id, order_items.c.name, order_items.c.quantity, order_items.c.unit_price
).order_by(order_items.c.product_id)


def _quote(items: sa.FromClause, quantity: Any) -> sa.Select[Any]:
    same_key = sa.and_(
        payments.c.buyer == sa.bindparam("buyer"), payments.c.idempotency_key == sa.bindparam("key")
    )
    source = items.outerjoin(payments, same_key).outerjoin(orders, orders.c.payment_id == payments.c.id)
    columns = (*_GOODS, quantity.label("quantity"), *KEPT)
    return sa.select(*columns).select_from(source).order_by(products.c.id)


def _after(name: str) -> sa.ColumnElement[Any]:
    """So long from now; never when the parameter is NULL."""
    return NOW + sa.bindparam(name, type_=sa.Interval)


QUOTE_ITEMS: Final = _quote(products, sa.null()).where(
    products.c.id.in_(sa.bindparam("wanted", expanding=True))
)
QUOTE_CART: Final = _quote(
    products.join(cart_items, cart_items.c.product_id == products.c.id), cart_items.c.quantity
).where(cart_items.c.user_id == sa.bindparam("buyer"))
ADD_PAYMENT: Final = (
    insert(payments)
    .values(
        {
            **{name: sa.bindparam(name) for name in (
                "id", "buyer", "idempotency_key", "fingerprint", "amount", "method", "status", "reason",
                "decision", "risk_level", "risk_score", "evaluation", "answer", "status_code",
            )},
            "wrong_codes": sa.literal_column("0"),
            "review_at": _after("review_in"),
            "created_at": NOW,
            "settled_at": _after("settled_in"),
        }
    )
    .on_conflict_do_nothing(constraint="shop_payments_once")
)  # fmt: skip
ADD_ORDER: Final = sa.insert(orders).values(
    {
        **{name: sa.bindparam(name) for name in ("id", "payment_id", "buyer", "status", "amount", "pieces")},
        "due_at": _after("due_in"),
        "created_at": NOW,
        "updated_at": NOW,
    }
)
ADD_LINES: Final = sa.insert(order_items)
