"""The declared breakages, and what each does to its adapter."""

import random
from dataclasses import dataclass

import pytest

from faults import Dice, Fault
from services.fds.adapters import ShippedModel
from services.fds.domain import Indicator, Prediction
from services.fds.engines import Evaluator, Nobody
from services.fds.faults import FAULTS, FaultyFeed, FaultyScorer, FaultyStore, FaultyVelocity
from services.fds.model_server import BackedScorer
from services.fds.ports import (
    IntelligenceUnavailableError,
    ModelUnavailableError,
    StoreUnavailableError,
    VelocityUnavailableError,
)
from services.fds.store import BoundedStore
from tests.unit.fds.fakes import (
    CALM,
    FakeFeed,
    FakeScorer,
    FakeStore,
    FakeSwitch,
    FakeVelocity,
    a_transaction,
    loop_clock,
    run_virtually,
)


def defaults(name: str) -> dict[str, float | int | str]:
    """What the fault does when nobody says more."""
    fault: Fault = next(fault for fault in FAULTS if fault.name == name)
    return {parameter.name: parameter.default for parameter in fault.parameters}


def test_cti_slow_by_default_violates_the_sla_and_is_blamed_on_cti() -> None:
    """This is what the drill of FDSSLAViolation rests on."""
    switch = FakeSwitch({"cti_slow": defaults("cti_slow")})
    feed = FaultyFeed(FakeFeed(seconds=0.01), switch, Dice(switch))
    evaluator = Evaluator(FakeVelocity(), FakeScorer(), feed, clock=loop_clock, witness=Nobody())
    evaluation = run_virtually(evaluator.evaluate(a_transaction()))
    assert evaluation.over_budget
    assert evaluation.slowest == "cti"
    assert evaluation.verdict.degraded == ()


def test_without_a_fault_the_wrappers_change_nothing() -> None:
    """An unset switch is no difference."""
    switch = FakeSwitch()
    dice, matches = Dice(switch), [Indicator("ip", "high")]
    feed, scorer = FaultyFeed(FakeFeed(matches), switch, dice), FaultyScorer(FakeScorer(0.3), switch, dice)
    assert run_virtually(feed.matches({"ip": "192.0.2.1"})) == matches
    assert run_virtually(scorer.predict(a_transaction())) == Prediction(0.3, "fake-1")
    assert run_virtually(FaultyVelocity(FakeVelocity(), switch).count(a_transaction())) == CALM
    assert run_virtually(FaultyStore(FakeStore(), switch).find("t-1")) is None


def test_cti_down_and_redis_down_refuse() -> None:
    """Each as its adapter would."""
    switch = FakeSwitch({"cti_down": {}, "redis_down": {}})
    with pytest.raises(IntelligenceUnavailableError):
        run_virtually(FaultyFeed(FakeFeed(), switch, Dice(switch)).matches({"ip": "192.0.2.1"}))
    with pytest.raises(VelocityUnavailableError):
        run_virtually(FaultyVelocity(FakeVelocity(), switch).count(a_transaction()))


def test_cti_slow_slows_the_asked_share_evenly() -> None:
    """Of any two evaluations at a rate of one half one is slow: what the drills of the burn rates rest on."""
    switch = FakeSwitch({"cti_slow": {"milliseconds": 150, "rate": 0.5}})
    feed = FaultyFeed(FakeFeed(seconds=0.01), switch, Dice(switch))

    async def over_budget() -> list[bool]:
        evaluator = Evaluator(FakeVelocity(), FakeScorer(), feed, clock=loop_clock, witness=Nobody())
        return [(await evaluator.evaluate(a_transaction())).over_budget for _ in range(20)]

    assert run_virtually(over_budget()) in ([True, False] * 10, [False, True] * 10)


def test_ml_wrong_turns_the_asked_share_around() -> None:
    """Rate 1 turns all, 0 none, a half every second one; about the same transaction always the same."""
    switch = FakeSwitch()
    transactions = [a_transaction(transaction_id=f"t-{number}") for number in range(400)]

    def turned(rate: float) -> list[bool]:
        switch.set["ml_wrong"] = {"rate": rate}
        faulty = FaultyScorer(FakeScorer(0.02), switch, Dice(switch))
        first, again = (
            [run_virtually(faulty.predict(each)).probability > 0.5 for each in transactions] for _ in range(2)
        )
        assert first == again
        return first

    assert (sum(turned(1.0)), sum(turned(0.0))) == (400, 0)
    half = turned(0.5)
    assert all(half[at] != half[at + 1] for at in range(399))


@dataclass
class Told:
    """Takes what a BackedScorer tells."""

    missed: int = 0

    def model_missed(self, error: BaseException) -> None:
        """The own copy decided."""
        self.missed += 1

    def model_back(self) -> None:
        """The server answers again."""


@pytest.mark.parametrize(
    "served", [FakeScorer(0.03, version="served"), FakeScorer(ModelUnavailableError("x"))]
)
def test_ml_wrong_also_turns_what_the_model_server_says(served: FakeScorer) -> None:
    """Whoever computes the score: the server, or the own copy in its place."""
    switch = FakeSwitch({"ml_wrong": defaults("ml_wrong")})
    backed = BackedScorer(served, FakeScorer(0.03, version="own"), Told(), clock=loop_clock)
    prediction = run_virtually(FaultyScorer(backed, switch, Dice(switch)).predict(a_transaction()))
    assert prediction.probability == pytest.approx(0.97)


def test_ml_wrong_holds_good_payments() -> None:
    """Nearly all of the ordinary payments are stopped: so the precision falls far below its target."""
    switch = FakeSwitch()
    scorer = FaultyScorer(ShippedModel(), switch, Dice(switch))
    evaluator = Evaluator(FakeVelocity(), scorer, FakeFeed(), clock=loop_clock, witness=Nobody())
    choose = random.Random(7)
    payments = [
        a_transaction(amount=choose.lognormvariate(10.8, 0.7), transaction_id=f"t-{n}") for n in range(50)
    ]

    async def stopped() -> int:
        judged = [await evaluator.evaluate(payment) for payment in payments]
        return sum(one.verdict.decision in ("hold", "block") for one in judged)

    assert run_virtually(stopped()) == 0
    switch.set["ml_wrong"] = defaults("ml_wrong")
    assert run_virtually(stopped()) >= 45


def test_ml_slow_delays() -> None:
    """By the milliseconds asked for."""

    switch = FakeSwitch({"ml_slow": {"milliseconds": 150}})

    async def timed() -> float:
        faulty = FaultyScorer(FakeScorer(), switch, Dice(switch))
        await faulty.predict(a_transaction())
        return loop_clock()

    assert run_virtually(timed()) == pytest.approx(0.15)


def test_a_slow_database_ends_in_an_error_in_time() -> None:
    """The limit stands outside the fault, as it stands outside a real slow database."""

    async def timed() -> float:
        slow = FaultyStore(FakeStore(), FakeSwitch({"database_slow": defaults("database_slow")}))
        with pytest.raises(StoreUnavailableError, match="no answer within"):
            await BoundedStore(slow).find("t-1")
        return loop_clock()

    assert run_virtually(timed()) == pytest.approx(0.8)


def test_faults_say_what_they_do() -> None:
    """Each has a help text, and each parameter bounds."""
    for fault in FAULTS:
        assert fault.help
        assert all(p.minimum is not None and p.maximum is not None for p in fault.parameters)
