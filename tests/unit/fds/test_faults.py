"""The declared breakages, and what each does to its adapter."""

import pytest

from faults import Fault
from services.fds.domain import Indicator, Prediction
from services.fds.engines import Evaluator, Nobody
from services.fds.faults import FAULTS, FaultyFeed, FaultyScorer, FaultyStore, FaultyVelocity
from services.fds.ports import IntelligenceUnavailableError, StoreUnavailableError, VelocityUnavailableError
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
    feed = FaultyFeed(FakeFeed(seconds=0.01), switch)
    evaluator = Evaluator(FakeVelocity(), FakeScorer(), feed, clock=loop_clock, witness=Nobody())
    evaluation = run_virtually(evaluator.evaluate(a_transaction()))
    assert evaluation.over_budget
    assert evaluation.slowest == "cti"
    assert evaluation.verdict.degraded == ()


def test_without_a_fault_the_wrappers_change_nothing() -> None:
    """An unset switch is no difference."""
    switch = FakeSwitch()
    matches = [Indicator("ip", "high")]
    assert run_virtually(FaultyFeed(FakeFeed(matches), switch).matches({"ip": "192.0.2.1"})) == matches
    assert run_virtually(FaultyScorer(FakeScorer(0.3), switch).predict(a_transaction())) == Prediction(
        0.3, "fake-1"
    )
    assert run_virtually(FaultyVelocity(FakeVelocity(), switch).count(a_transaction())) == CALM
    assert run_virtually(FaultyStore(FakeStore(), switch).find("t-1")) is None


def test_cti_down_and_redis_down_refuse() -> None:
    """Each as its adapter would."""
    switch = FakeSwitch({"cti_down": {}, "redis_down": {}})
    with pytest.raises(IntelligenceUnavailableError):
        run_virtually(FaultyFeed(FakeFeed(), switch).matches({"ip": "192.0.2.1"}))
    with pytest.raises(VelocityUnavailableError):
        run_virtually(FaultyVelocity(FakeVelocity(), switch).count(a_transaction()))


def test_ml_wrong_turns_the_asked_share_around() -> None:
    """Rate 1 turns all, 0 none, a half about a half; the same transactions every time."""
    scorer, switch = FakeScorer(0.02), FakeSwitch()
    faulty = FaultyScorer(scorer, switch)
    transactions = [a_transaction(transaction_id=f"t-{number}") for number in range(400)]

    def turned(rate: float) -> int:
        switch.set["ml_wrong"] = {"rate": rate}
        return sum(run_virtually(faulty.predict(each)).probability > 0.5 for each in transactions)

    assert (turned(1.0), turned(0.0)) == (400, 0)
    assert 150 < turned(0.5) < 250


def test_ml_slow_delays() -> None:
    """By the milliseconds asked for."""

    async def timed() -> float:
        faulty = FaultyScorer(FakeScorer(), FakeSwitch({"ml_slow": {"milliseconds": 150}}))
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
