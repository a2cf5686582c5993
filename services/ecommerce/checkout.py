"""A purchase from the request to the books: price, ask fds, decide, write down, once for each key."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from services.ecommerce.domain import (
    MOST_KRW,
    Buyer,
    Line,
    PaymentMethod,
    Purchase,
    Verdict,
    decide,
    fingerprint,
    first_order_status,
    pieces,
    total,
)
from services.ecommerce.ports import Books, Fraud, FraudUnavailableError, Kept, Quote, StoreUnavailableError
from services.ecommerce.signals import Signals
from telemetry.errors import ClientError

_PAYMENTS: Final = uuid.UUID("0e5f6f0c-2f0e-4a27-9a52-0f8f6d1c7e44")


@dataclass(frozen=True)
class Asked:
    """A purchase that somebody asks for. Without `wanted` it is the cart; `circumstances` are for fds."""

    buyer: Buyer
    key: str
    method: PaymentMethod
    wanted: Mapping[str, int] | None
    circumstances: Mapping[str, object] = field(default_factory=dict)
    fingerprint: str = ""


class Checkout:
    """Makes purchases. `code` gives the code that confirms a payment."""

    def __init__(
        self,
        books: Books,
        fraud: Fraud,
        signals: Signals,
        *,
        small_amount: int,
        code: Callable[[UUID], str],
        now: Callable[[], datetime],
    ) -> None:
        self._books, self._fraud, self._signals = books, fraud, signals
        self._small_amount, self._code, self._now = small_amount, code, now
        self._under_way: dict[tuple[UUID, str, str], asyncio.Task[Kept]] = {}

    async def buy(self, asked: Asked) -> Kept:
        """The purchase under this key, made now or before.

        Callers that come at once with the same key share one attempt in this process, so that fds is asked
        once; between processes the database decides. Raises ClientError and StoreUnavailableError.
        """
        name = (asked.buyer.id, asked.key, asked.fingerprint)
        task = self._under_way.get(name)
        if task is None:
            task = self._under_way[name] = asyncio.create_task(self._buy(asked))
            task.add_done_callback(lambda done: self._over(name, done))
        # Shielded: a caller that goes away takes nothing from the others, nor stops a charge half-way.
        kept = await asyncio.shield(task)
        if kept.fingerprint != asked.fingerprint:
            raise ClientError(422, "key_reused", "this Idempotency-Key was used for another purchase")
        return kept

    def _over(self, name: tuple[UUID, str, str], task: asyncio.Task[Kept]) -> None:
        del self._under_way[name]
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains when every caller has gone

    async def _buy(self, asked: Asked) -> Kept:
        with self._signals.checkout(asked.buyer.id) as span:
            try:
                kept = await self._bought(asked)
            except StoreUnavailableError:
                self._signals.checkout_failed()
                raise
            span.set("order_id", str(kept.order_id))
            span.set("payment_id", str(kept.payment_id))
            span.set("payment.status", kept.answer.get("status"))
            span.set("payment.reason", kept.answer.get("reason"))
            return kept

    async def _bought(self, asked: Asked) -> Kept:
        with self._signals.stage("validate"):
            quote = await self._books.quote(asked.buyer.id, asked.key, asked.wanted)
            if quote.kept is not None:
                return quote.kept
            _check(asked, quote)
        evaluation = self._evaluation(asked, quote)
        with self._signals.stage("fds") as span:
            verdict = await self._verdict(evaluation)
            span.set("decision", verdict.decision if verdict else "fds_unavailable")
            if verdict is None:
                span.error("fds is unavailable: decided by policy")
            else:
                span.set("risk_score", verdict.score)
        purchase = self._purchase(asked, quote.lines, evaluation, verdict)
        kept = await self._books.place(purchase, step=self._signals.stage)
        if kept.order_id == purchase.order_id:
            self._signals.placed(purchase)
        return kept

    async def _verdict(self, evaluation: Mapping[str, object]) -> Verdict | None:
        try:
            with self._signals.asking():
                verdict = await self._fraud.evaluate(evaluation)
        except FraudUnavailableError as error:
            self._signals.fds_missed(error, evaluation)
            return None
        self._signals.evaluated(verdict)
        return verdict

    def _evaluation(self, asked: Asked, quote: Quote) -> Mapping[str, object]:
        """What fds is asked. The id depends on all of it: the same again is the same transaction to fds."""
        buyer = asked.buyer
        question: dict[str, object] = {
            "user_id": str(buyer.id),
            "amount": total(quote.lines),
            "currency": "KRW",
            "payment_method": asked.method,
            "items_count": pieces(quote.lines),
            "email_domain": buyer.email_domain,
            **{key: value for key, value in asked.circumstances.items() if value is not None},
        }
        if buyer.since is not None:
            question["account_age_days"] = max(0, (self._now() - buyer.since).days)
        name = f"{asked.key}:{fingerprint(question)}"
        return {"transaction_id": f"shop-{uuid.uuid5(_PAYMENTS, name)}", **question}

    def _purchase(
        self,
        asked: Asked,
        lines: Sequence[Line],
        evaluation: Mapping[str, object],
        verdict: Verdict | None,
    ) -> Purchase:
        order_id, payment_id = uuid.uuid4(), uuid.uuid4()
        outcome = decide(verdict, amount=total(lines), small_amount=self._small_amount)
        answer: dict[str, object] = {
            "order_id": str(order_id),
            "payment_id": str(payment_id),
            "status": outcome.status,
            "reason": outcome.reason,
            "order_status": first_order_status(outcome),
            "amount": total(lines),
            "currency": "KRW",
            "items": pieces(lines),
            "payment_method": asked.method,
            "risk_level": verdict.level if verdict else None,
            "fds_unavailable": verdict is None,
        }
        if outcome.reason == "authentication":
            answer["confirm"] = self.confirmation(payment_id)
        return Purchase(
            order_id, payment_id, asked.buyer.id, asked.key, asked.fingerprint, lines, asked.method,
            outcome, verdict, evaluation, answer, from_cart=asked.wanted is None,
        )  # fmt: skip

    def confirmation(self, payment_id: UUID) -> dict[str, str]:
        """How to confirm a payment. The code stands in for the message that a real shop would send."""
        return {"path": f"/api/v1/payments/{payment_id}/confirm", "demo_code": self._code(payment_id)}


def _check(asked: Asked, quote: Quote) -> None:
    """Raise ClientError for what cannot be bought."""
    if asked.wanted is None and not quote.lines:
        raise ClientError(422, "cart_empty", "there is nothing in the cart; put something in or send items")
    missing = sorted(set(asked.wanted or ()) - {line.product_id for line in quote.lines})
    if missing:
        raise ClientError(422, "unknown_product", f"no such product: {', '.join(missing[:5])}")
    if total(quote.lines) > MOST_KRW:
        raise ClientError(422, "too_expensive", f"a purchase may not be above {MOST_KRW} KRW")
