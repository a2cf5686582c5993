"""Orders and payments in PostgreSQL: one transaction a purchase, and batches that workers share."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ecommerce.database import Database
from services.ecommerce.domain import (
    NEXT_STATUS,
    WRONG_CODES,
    Line,
    OrderStatus,
    Outcome,
    Purchase,
    Step,
    Verdict,
    first_order_status,
)
from services.ecommerce.ports import Confirmation, Kept, OrderView, Quote, Settled, Waiting
from services.ecommerce.statements import (
    ADD_LINES,
    ADD_ORDER,
    ADD_PAYMENT,
    KEPT,
    LINES,
    NOW,
    ORDER,
    QUOTE_CART,
    QUOTE_ITEMS,
    later,
)
from services.ecommerce.tables import cart_items, order_items, orders, payments

STATUS_CODES: Final = {"completed": 201, "pending": 202, "failed": 402}
REVIEW_SECONDS: Final = 5.0
"""How soon a pending payment is looked at again; then each time after half its age, so that old ones cost
little, and after five minutes at the latest."""
LONGEST_REVIEW_SECONDS: Final = 300.0
CONFIRM_SECONDS: Final = 900.0
"""How long a payment waits for its code."""


class PostgresBooks:
    """See ports.Books. `step_seconds` is how long an order stays in each state."""

    def __init__(self, database: Database, *, step_seconds: float) -> None:
        self._database, self._step_seconds = database, step_seconds

    async def quote(self, buyer: UUID, key: str, wanted: Mapping[str, int] | None) -> Quote:
        """Prices and the earlier purchase in one statement; a second one only for an empty cart."""
        values: dict[str, object] = {"buyer": buyer, "key": key}
        if wanted is not None:
            values["wanted"] = list(wanted)
        query = QUOTE_CART if wanted is None else QUOTE_ITEMS

        async def work(connection: AsyncConnection) -> Quote:
            rows = (await connection.execute(query, values)).all()
            if not rows:
                return Quote((), await _by_key(connection, buyer, key))
            lines = [
                Line(row.product, row.name, wanted[row.product] if wanted else row.quantity, row.price)
                for row in rows
            ]
            return Quote(lines, None if rows[0].payment_id is None else _kept(rows[0]))

        return await self._database.read(work)

    async def place(self, purchase: Purchase, *, step: Step) -> Kept:
        """The unique key decides: who comes second waits for the first to commit, and gets its purchase."""

        async def work(connection: AsyncConnection) -> Kept:
            with step("charge"):
                row = self._payment(purchase)
                if (await connection.execute(ADD_PAYMENT, row)).rowcount == 0:
                    earlier = await _by_key(connection, purchase.buyer, purchase.key)
                    assert earlier is not None  # one that is in the way is not old enough to be deleted
                    return earlier
                await self._add_order(connection, purchase)
            with step("commit"):
                await connection.commit()
            return Kept(
                purchase.order_id, purchase.payment_id, purchase.fingerprint,
                cast(int, row["status_code"]), purchase.answer,
            )  # fmt: skip

        return await self._database.write(work)

    @staticmethod
    def _payment(purchase: Purchase) -> dict[str, object]:
        outcome = purchase.outcome
        pending = outcome.status == "pending"
        return {
            "id": purchase.payment_id,
            "buyer": purchase.buyer,
            "idempotency_key": purchase.key,
            "fingerprint": purchase.fingerprint,
            "amount": purchase.amount,
            "method": purchase.method,
            "status": outcome.status,
            "reason": outcome.reason,
            **_said(purchase.verdict),
            "evaluation": dict(purchase.evaluation),
            "answer": dict(purchase.answer),
            "status_code": STATUS_CODES[outcome.status],
            "review_in": timedelta(seconds=_wait(outcome)) if pending else None,
            "settled_in": None if pending else timedelta(0),
        }

    async def _add_order(self, connection: AsyncConnection, purchase: Purchase) -> None:
        paid = purchase.outcome.status == "completed"
        order = {
            "id": purchase.order_id,
            "payment_id": purchase.payment_id,
            "buyer": purchase.buyer,
            "status": first_order_status(purchase.outcome),
            "amount": purchase.amount,
            "pieces": purchase.items,
            "due_in": timedelta(seconds=self._step_seconds) if paid else None,
        }
        await connection.execute(ADD_ORDER, order)
        lines = [{"order_id": purchase.order_id, **vars(line)} for line in purchase.lines]
        await connection.execute(ADD_LINES, lines)
        if purchase.from_cart and purchase.outcome.status != "failed":
            await connection.execute(sa.delete(cart_items).where(cart_items.c.user_id == purchase.buyer))

    async def order(self, order_id: UUID) -> OrderView | None:
        """Two statements by primary key."""

        async def work(connection: AsyncConnection) -> OrderView | None:
            row = (await connection.execute(ORDER.where(orders.c.id == order_id))).mappings().first()
            if row is None:
                return None
            found = await connection.execute(LINES.where(order_items.c.order_id == order_id))
            return OrderView(**row, lines=[Line(*line) for line in found])

        return await self._database.read(work)

    async def orders(self, buyer: UUID, *, limit: int) -> Sequence[OrderView]:
        """By the index on buyer and time."""
        query = ORDER.where(orders.c.buyer == buyer).order_by(orders.c.created_at.desc()).limit(limit)

        async def work(connection: AsyncConnection) -> Sequence[OrderView]:
            return [OrderView(**row) for row in (await connection.execute(query)).mappings()]

        return await self._database.read(work)

    async def confirm(self, payment_id: UUID, *, right: bool) -> Confirmation | None:
        """Under the payment's row lock: of two codes at once one is counted after the other."""

        async def work(connection: AsyncConnection) -> Confirmation | None:
            query = (
                sa.select(payments.c.status, payments.c.reason, payments.c.wrong_codes, orders.c.id)
                .join(orders, orders.c.payment_id == payments.c.id)
                .where(payments.c.id == payment_id)
                .with_for_update(of=payments)
            )
            row = (await connection.execute(query)).first()
            if row is None:
                return None
            status, reason, wrong, order_id = row
            if status != "pending" or reason != "authentication":
                return Confirmation(status, reason, order_id)
            outcome = Outcome("completed", "approved")
            if not right:
                wrong += 1
                counted = sa.update(payments).where(payments.c.id == payment_id).values(wrong_codes=wrong)
                await connection.execute(counted)
                if wrong < WRONG_CODES:
                    return Confirmation(status, reason, order_id)
                outcome = Outcome("failed", "not_confirmed")
            settled = await self._settle(connection, payment_id, outcome, None)
            return Confirmation(outcome.status, outcome.reason, order_id, settled)

        return await self._database.write(work)

    async def advance(self, *, limit: int) -> Mapping[OrderStatus, int]:
        """One statement: what it takes, it also moves, and a crash leaves both or neither."""
        due = (
            sa.select(orders.c.id)
            .where(orders.c.due_at <= sa.func.now())
            .order_by(orders.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        last = orders.c.status == "shipped"
        statement = (
            sa.update(orders)
            .where(orders.c.id.in_(due))
            .values(
                status=sa.case(dict(NEXT_STATUS), value=orders.c.status),
                due_at=sa.case((last, sa.null()), else_=later(self._step_seconds)),
                updated_at=NOW,
            )
            .returning(orders.c.status)
        )

        async def work(connection: AsyncConnection) -> Mapping[OrderStatus, int]:
            return Counter((await connection.execute(statement)).scalars())

        return await self._database.write(work)

    async def waiting(self, *, limit: int) -> Sequence[Waiting]:
        """Taking one puts its next look off, so that no other worker takes it too."""
        due = (
            sa.select(payments.c.id)
            .where(payments.c.review_at <= sa.func.now())
            .order_by(payments.c.review_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        age = sa.func.extract("epoch", NOW - payments.c.created_at)
        wait = sa.func.least(LONGEST_REVIEW_SECONDS, sa.func.greatest(REVIEW_SECONDS, age / 2))
        statement = (
            sa.update(payments)
            .where(payments.c.id.in_(due))
            .values(review_at=NOW + sa.func.make_interval(0, 0, 0, 0, 0, 0, wait))
            .returning(payments.c.id, payments.c.amount, payments.c.reason, payments.c.evaluation)
        )

        async def work(connection: AsyncConnection) -> Sequence[Waiting]:
            return [Waiting(*row) for row in await connection.execute(statement)]

        return await self._database.write(work)

    async def settle(self, payment_id: UUID, outcome: Outcome, verdict: Verdict | None) -> Settled | None:
        """Only what is still pending."""

        async def work(connection: AsyncConnection) -> Settled | None:
            return await self._settle(connection, payment_id, outcome, verdict)

        return await self._database.write(work)

    async def _settle(
        self, connection: AsyncConnection, payment_id: UUID, outcome: Outcome, verdict: Verdict | None
    ) -> Settled | None:
        values: dict[str, object] = {"status": outcome.status, "reason": outcome.reason}
        values |= {} if verdict is None else _said(verdict)
        if outcome.status == "pending":
            values["review_at"] = later(_wait(outcome))
        else:
            values |= {"review_at": None, "settled_at": NOW}
        mine = (payments.c.id == payment_id, payments.c.status == "pending")
        if (await connection.execute(sa.update(payments).where(*mine).values(values))).rowcount == 0:
            return None
        order: dict[str, object] = {"updated_at": NOW, "status": first_order_status(outcome)}
        if outcome.status == "completed":
            order["due_at"] = later(self._step_seconds)
        moved = (
            sa.update(orders)
            .where(orders.c.payment_id == payments.c.id, payments.c.id == payment_id)
            .values(order)
            .returning(
                orders.c.id, orders.c.buyer, orders.c.amount, payments.c.method, orders.c.status,
                payments.c.risk_level,
            )
        )  # fmt: skip
        row = (await connection.execute(moved)).one()
        return Settled(payment_id, row[0], row[1], row[2], row[3], outcome, row[4], row[5])


def _wait(outcome: Outcome) -> float:
    """Seconds until a pending payment is looked at."""
    return CONFIRM_SECONDS if outcome.reason == "authentication" else REVIEW_SECONDS


def _said(verdict: Verdict | None) -> dict[str, object]:
    if verdict is None:
        return {"decision": None, "risk_level": None, "risk_score": None}
    return {"decision": verdict.decision, "risk_level": verdict.level, "risk_score": verdict.score}


async def _by_key(connection: AsyncConnection, buyer: UUID, key: str) -> Kept | None:
    query = (
        sa.select(*KEPT)
        .select_from(payments)
        .join(orders, orders.c.payment_id == payments.c.id)
        .where(payments.c.buyer == buyer, payments.c.idempotency_key == key)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else _kept(row)


def _kept(row: Any) -> Kept:
    return Kept(row.order_id, row.payment_id, row.fingerprint, row.status_code, row.answer)
