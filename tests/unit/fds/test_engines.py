"""Three engines side by side under one limit, on a virtual clock."""

import asyncio
from typing import Any

import pytest

from services.fds.domain import Evaluation, Indicator
from services.fds.engines import Evaluator, Nobody
from services.fds.ports import IntelligenceUnavailableError, VelocityUnavailableError
from tests.unit.fds.fakes import (
    FakeFeed,
    FakeScorer,
    FakeVelocity,
    FakeWitness,
    a_transaction,
    loop_clock,
    run_virtually,
)


def evaluated(
    velocity: FakeVelocity, scorer: FakeScorer, feed: FakeFeed, witness: Any = None, **values: Any
) -> Evaluation:
    """One evaluation."""
    evaluator = Evaluator(velocity, scorer, feed, clock=loop_clock, witness=witness or Nobody())
    return run_virtually(evaluator.evaluate(a_transaction(**values)))


def test_engines_run_side_by_side() -> None:
    """The whole takes as long as the slowest, not as long as all."""
    evaluation = evaluated(FakeVelocity(seconds=0.02), FakeScorer(seconds=0.03), FakeFeed(seconds=0.04))
    assert evaluation.elapsed_seconds == pytest.approx(0.04)
    assert [round(run.seconds, 3) for run in evaluation.runs] == [0.02, 0.03, 0.04]
    assert (evaluation.slowest, evaluation.over_budget) == ("cti", False)
    assert evaluation.verdict.decision == "approve"


def test_an_engine_over_the_budget_still_counts_and_violates_the_sla() -> None:
    """150 ms is too long for the SLA and not too long to be used."""
    evaluation = evaluated(
        FakeVelocity(), FakeScorer(), FakeFeed([Indicator("ip", "critical")], seconds=0.15)
    )
    assert evaluation.over_budget
    assert evaluation.slowest == "cti"
    assert evaluation.verdict.degraded == ()
    assert evaluation.verdict.decision == "block"


def test_an_engine_that_does_not_answer_is_left_out_at_the_limit() -> None:
    """The evaluation ends after 250 ms and names who was missing."""
    evaluation = evaluated(FakeVelocity(), FakeScorer(), FakeFeed(seconds=10))
    assert evaluation.elapsed_seconds == pytest.approx(0.25)
    assert evaluation.verdict.degraded == ("cti",)
    assert [run.failure for run in evaluation.runs] == ["", "", "timeout"]
    assert (evaluation.slowest, evaluation.over_budget) == ("cti", True)


def test_an_engine_that_raises_is_left_out_and_told() -> None:
    """Even an error that nobody thought of stays inside its engine."""
    witness = FakeWitness()
    evaluation = evaluated(
        FakeVelocity(), FakeScorer(ZeroDivisionError("oops")), FakeFeed(IntelligenceUnavailableError("down")),
        witness,
    )  # fmt: skip
    assert evaluation.verdict.degraded == ("ml", "cti")
    assert evaluation.verdict.decision == "auth"
    assert witness.failures == [("ml", "oops"), ("cti", "down")]
    assert witness.spans == ["rule", "ml", "cti"]


def test_without_velocity_the_rules_go_on() -> None:
    """Redis being down costs four rules, not the engine."""
    witness = FakeWitness()
    velocity = FakeVelocity(VelocityUnavailableError("refused"))
    evaluation = evaluated(velocity, FakeScorer(), FakeFeed(), witness, country="T1", device_id=None)
    assert evaluation.verdict.degraded == ("velocity",)
    assert "country_anonymous" in evaluation.verdict.factors
    assert witness.unknown == 1


def test_only_known_values_are_looked_up() -> None:
    """Nothing known, nothing asked."""
    feed = FakeFeed()
    evaluated(FakeVelocity(), FakeScorer(), feed, ip=None, device_id=None)
    assert feed.asked == []
    evaluated(FakeVelocity(), FakeScorer(), feed, ip=None, device_id="d", email_domain="mail.example")
    assert feed.asked == [{"device": "d", "email_domain": "mail.example"}]


def test_a_caller_who_leaves_takes_the_engines_along() -> None:
    """A cancelled request leaves no task behind."""

    async def leave() -> int:
        evaluator = Evaluator(
            FakeVelocity(), FakeScorer(seconds=5), FakeFeed(seconds=5), clock=loop_clock, witness=Nobody()
        )
        task = asyncio.create_task(evaluator.evaluate(a_transaction()))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.01)
        return len(asyncio.all_tasks()) - 1

    assert run_virtually(leave()) == 0
