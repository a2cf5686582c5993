"""What goes on without a request: orders move on, and pending payments are looked at again."""

import asyncio
from typing import Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from services.ecommerce.domain import Outcome, Verdict, decide, reviewed
from services.ecommerce.ports import (
    Books,
    Fraud,
    FraudRefusedError,
    FraudUnavailableError,
    StoreUnavailableError,
    Waiting,
)
from services.ecommerce.signals import Signals
from telemetry.traces import span

BATCH: Final = 200
REVIEWS: Final = 20
"""Each asks fds, one after another: a batch is over within some seconds even when fds is slow."""
PAUSE_SECONDS: Final = 0.5


class Worker:
    """Works in every replica at once: what one takes, the others skip. Nothing is kept between rounds."""

    def __init__(self, books: Books, fraud: Fraud, signals: Signals, *, small_amount: int) -> None:
        self._books, self._fraud, self._signals = books, fraud, signals
        self._small_amount = small_amount

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            full = False
            try:
                full = await self.advance()
                await self.review()
            except StoreUnavailableError as error:
                self._signals.store_missed(error)
            except Exception as error:  # the boundary: a mistake must not stop all orders for ever
                self._signals.worker_failed(error)
            await asyncio.sleep(0 if full else PAUSE_SECONDS)

    async def advance(self) -> bool:
        """Move a batch of orders; whether there may be more."""
        with suppress_instrumentation():  # twice a second, mostly for nothing: no traces of that
            moved = await self._books.advance(limit=BATCH)
        self._signals.moved(moved)
        return sum(moved.values()) == BATCH

    async def review(self) -> None:
        """Settle what can be settled of the pending payments that are due."""
        with suppress_instrumentation():
            waiting = await self._books.waiting(limit=REVIEWS)
        for payment in waiting:
            try:
                await self._review(payment)
            except FraudRefusedError as error:
                self._signals.fds_missed(error)
            except FraudUnavailableError as error:
                self._signals.fds_missed(error)
                return  # the others come again too

    async def _review(self, payment: Waiting) -> None:
        with span("ecommerce.review", payment_id=str(payment.payment_id), reason=payment.reason) as current:
            verdict: Verdict | None = None
            outcome: Outcome | None = None
            if payment.reason == "authentication":  # it is looked at when its time is over
                outcome = Outcome("failed", "not_confirmed")
            elif payment.reason == "fds_unavailable":
                verdict = await self._fraud.evaluate(payment.evaluation)
                outcome = decide(verdict, amount=payment.amount, small_amount=self._small_amount)
            elif label := await self._fraud.label(str(payment.evaluation["transaction_id"])):
                outcome = reviewed(label)
            if outcome is None:
                return
            settled = await self._books.settle(payment.payment_id, outcome, verdict)
            current.set("status", outcome.status)
            if settled is not None:
                self._signals.settled(settled)
