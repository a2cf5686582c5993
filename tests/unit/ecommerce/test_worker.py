"""The worker: orders move, pending payments are settled, and no failure stops it for good."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from services.ecommerce.domain import Reason, Verdict
from services.ecommerce.ports import FraudRefusedError, FraudUnavailableError, Waiting
from tests.unit.ecommerce.fakes import FakeFraud
from tests.unit.ecommerce.rig import Rig

PAYMENT = uuid.UUID(int=9)
APPROVE, AUTH, HOLD, BLOCK = (
    Verdict("approve", "low", 3), Verdict("auth", "medium", 40), Verdict("hold", "high", 70),
    Verdict("block", "blocked", 95),
)  # fmt: skip


def waiting(reason: Reason, payment: uuid.UUID = PAYMENT) -> Waiting:
    """A payment of a million that is due."""
    return Waiting(payment, 1_000_000, reason, {"transaction_id": "shop-1"})


def settled(rig: Rig, *, until: uuid.UUID = PAYMENT) -> Any:
    """What became of a payment after the worker looked at what is due."""

    async def wait(client: httpx.AsyncClient) -> None:
        for _ in range(300):
            if until in rig.books.outcomes:
                return
            await asyncio.sleep(0.01)

    rig.talked(wait)
    outcome = rig.books.outcomes.get(until)
    return (outcome.status, outcome.reason) if outcome else None


@pytest.mark.parametrize(
    ("reason", "verdict", "label", "expected"),
    [
        ("review", APPROVE, "legitimate", ("completed", "approved")),
        ("review", APPROVE, "fraud", ("failed", "rejected")),
        ("authentication", APPROVE, None, ("failed", "not_confirmed")),
        ("fds_unavailable", APPROVE, None, ("completed", "approved")),
        ("fds_unavailable", AUTH, None, ("pending", "authentication")),
        ("fds_unavailable", HOLD, None, ("pending", "review")),
        ("fds_unavailable", BLOCK, None, ("failed", "blocked")),
    ],
)
def test_a_pending_payment_is_settled(reason: Reason, verdict: Verdict, label: Any, expected: object) -> None:
    """By the reviewer's label, by the verdict that fds gives late, or by the end of its time."""
    rig = Rig(fraud=FakeFraud(verdict, says=label))
    rig.books.due = [waiting(reason)]
    assert settled(rig) == expected
    counted = 0 if expected == ("pending", expected[1]) else 1  # type: ignore[index]  # a pair
    status = expected[0]  # type: ignore[index]  # a pair
    assert rig.value("ecommerce_payments_total", status=status, payment_method="credit_card") == counted
    told = [line for name in ("Payment completed", "Payment declined") for line in rig.lines(name)]
    assert len(told) == counted
    assert all("risk_level" in line for line in told)
    assert len(rig.spans("ecommerce.review")) == 1


def test_a_payment_that_nobody_has_reviewed_goes_on_waiting() -> None:
    """The next one is looked at all the same."""
    rig = Rig(fraud=FakeFraud(FraudRefusedError("HTTP 422")))
    other = uuid.UUID(int=10)
    rig.books.due = [waiting("review"), waiting("fds_unavailable"), waiting("authentication", other)]
    assert settled(rig, until=other) == ("failed", "not_confirmed")
    assert PAYMENT not in rig.books.outcomes


def test_without_fds_nothing_is_settled() -> None:
    """They come again."""
    rig = Rig(fraud=FakeFraud(says=FraudUnavailableError("down")))
    rig.books.due = [waiting("review")]

    async def wait(client: httpx.AsyncClient) -> None:
        for _ in range(300):
            if rig.lines("FDS unavailable"):
                return
            await asyncio.sleep(0.01)

    rig.talked(wait)
    assert not rig.books.outcomes


def test_moves_are_counted_and_no_failure_stops_the_worker() -> None:
    """Neither the database's nor one that nobody expected."""
    rig = Rig()
    rig.books.broken = RuntimeError("surprise")
    rig.books.moves = [{"processing": 3, "delivered": 2}]

    async def wait(client: httpx.AsyncClient) -> None:
        for _ in range(1000):
            if rig.value("ecommerce_orders_total", status="delivered"):
                return
            if rig.lines("Order worker failed"):
                rig.books.broken, rig.books.down = None, True
            if rig.lines("Database unavailable"):
                rig.books.down = False
            await asyncio.sleep(0.01)

    rig.talked(wait)
    assert rig.value("ecommerce_orders_total", status="processing") == 3
    assert rig.value("ecommerce_orders_total", status="delivered") == 2
    assert rig.lines("Order worker failed")[0]["error"] == "surprise"
