"""Which orders nobody needs any more."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from limits.retention import Purge
from services.ecommerce.database import Database
from services.ecommerce.tables import order_items, orders, payments

# Written out, and not as parameters, so that PostgreSQL sees that the index shop_orders_over fits.
_OVER: Final = orders.c.status.in_([sa.literal_column("'delivered'"), sa.literal_column("'cancelled'")])


def purges(database: Database) -> Mapping[str, Purge]:
    """By table; lines and payment go with their order.

    Accounts and carts stay: they are their owners', and nothing says when one was used last. With a payment
    goes its key, so a repetition counts as new after that time.
    """

    async def purge(age: timedelta, limit: int) -> int:
        """Only orders that are delivered or cancelled, and whose payment is settled."""
        old = (
            sa.select(orders.c.id, orders.c.payment_id)
            .join(payments, payments.c.id == orders.c.payment_id)
            .where(_OVER, orders.c.updated_at < sa.func.now() - age, payments.c.status != "pending")
            .order_by(orders.c.updated_at)
            .limit(limit)
            .with_for_update(of=orders, skip_locked=True)
        )

        async def work(connection: AsyncConnection) -> int:
            rows = (await connection.execute(old)).all()
            if rows:
                ids, paid = [row[0] for row in rows], [row[1] for row in rows]
                await connection.execute(sa.delete(order_items).where(order_items.c.order_id.in_(ids)))
                await connection.execute(sa.delete(orders).where(orders.c.id.in_(ids)))
                await connection.execute(sa.delete(payments).where(payments.c.id.in_(paid)))
            return len(rows)

        return await database.write(work)

    return {orders.name: purge}
