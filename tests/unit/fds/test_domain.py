"""What one score and decision are made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fds.domain import (
    BLOCK_REASONS,
    DECISION_OF,
    DECISIONS,
    ENGINES,
    RISK_LEVELS,
    Assessment,
    EngineName,
    EngineRun,
    Evaluation,
    Indicator,
    assess_indicators,
    assess_probability,
    conclude,
    level_of,
)

SCORES = st.floats(0, 100)
ANSWERS = st.dictionaries(st.sampled_from(ENGINES), SCORES)


def runs_of(scores: dict[EngineName, float]) -> list[EngineRun]:
    """Engines that gave `scores`; the others did not answer."""
    return [EngineRun(name, 0.01, Assessment(scores[name]) if name in scores else None) for name in ENGINES]


@given(ANSWERS)
def test_any_answers_give_a_score_and_the_decision_of_its_level(scores: dict[EngineName, float]) -> None:
    """Whatever engines answered whatever, the verdict is whole."""
    verdict = conclude(runs_of(scores))
    assert 0 <= verdict.risk_score <= 100
    assert verdict.risk_level in RISK_LEVELS
    assert verdict.decision == DECISION_OF[verdict.risk_level]
    assert set(verdict.degraded) == set(ENGINES) - set(scores)
    assert (verdict.block_reason is not None) == (verdict.decision == "block")
    assert verdict.block_reason in (None, *BLOCK_REASONS)


@given(ANSWERS, st.sampled_from(ENGINES), SCORES)
def test_a_higher_score_of_an_engine_never_lowers_the_risk(
    scores: dict[EngineName, float], name: EngineName, other: float
) -> None:
    """Monotone in each engine, the same engines answering."""
    lower, higher = sorted((scores.get(name, 0.0), other))
    risks = [conclude(runs_of({**scores, name: value})).risk_score for value in (lower, higher)]
    assert risks[0] <= risks[1]


@given(SCORES, SCORES)
def test_levels_rise_with_the_score(one: float, other: float) -> None:
    """No higher score has a lower level."""
    low, high = sorted((one, other))
    assert RISK_LEVELS.index(level_of(low)) <= RISK_LEVELS.index(level_of(high))


@pytest.mark.parametrize(
    ("score", "level"),
    [(0, "low"), (29.9, "low"), (30, "medium"), (59.9, "medium"), (60, "high"), (84.9, "high"),
     (85, "blocked")],
)  # fmt: skip
def test_each_level_begins_at_its_edge(score: float, level: str) -> None:
    """The edges belong to the higher level."""
    assert level_of(score) == level


@pytest.mark.parametrize(
    ("scores", "decision", "reason"),
    [
        ({"rule": 0, "ml": 2, "cti": 0}, "approve", None),
        ({"rule": 35, "ml": 50, "cti": 0}, "auth", None),
        ({"rule": 0, "ml": 95, "cti": 0}, "hold", None),
        ({"rule": 70, "ml": 5, "cti": 0}, "hold", None),
        ({"rule": 0, "ml": 0, "cti": 80}, "hold", None),
        ({"rule": 0, "ml": 0, "cti": 100}, "block", "cti_match"),
        ({"rule": 100, "ml": 0, "cti": 0}, "block", "rule_limit"),
        ({"rule": 50, "ml": 95, "cti": 0}, "block", "model_and_rules"),
        ({"rule": 90, "ml": 85, "cti": 90}, "block", "combined_score"),
    ],
)
def test_one_engine_that_is_sure_decides(
    scores: dict[EngineName, float], decision: str, reason: str | None
) -> None:
    """The calm of the others cannot pull a sure engine below its floor."""
    verdict = conclude(runs_of(scores))
    assert (verdict.decision, verdict.block_reason) == (decision, reason)


@pytest.mark.parametrize("answered", [{}, {"rule": 0.0}, {"ml": 0.0}, {"cti": 0.0}])
def test_one_engine_alone_never_approves(answered: dict[EngineName, float]) -> None:
    """With fewer than two opinions the payer has to show who they are."""
    assert conclude(runs_of(answered)).decision == "auth"


def test_what_an_engine_did_without_is_named_with_the_missing_engines() -> None:
    """Degraded lists engines and their parts."""
    runs = [
        EngineRun("rule", 0.01, Assessment(0, degraded=("velocity",))),
        EngineRun("ml", 0.01, Assessment(0)),
        EngineRun("cti", 0.25, None, "timeout"),
    ]
    assert conclude(runs).degraded == ("cti", "velocity")


@pytest.mark.parametrize(("milliseconds", "over"), [(99.9, False), (100.0, False), (100.1, True)])
def test_the_budget_is_violated_above_100_ms(milliseconds: float, over: bool) -> None:
    """Exactly 100 ms is in time; the slowest engine is named, answered or not."""
    runs = (
        EngineRun("rule", 0.01, Assessment(0)),
        EngineRun("ml", 0.02, Assessment(0)),
        EngineRun("cti", 0.25, None, "timeout"),
    )
    evaluation = Evaluation("e", "t", conclude(runs), runs, milliseconds / 1000, "m")
    assert evaluation.over_budget is over
    assert evaluation.slowest == "cti"


def test_the_worst_indicator_counts_and_all_are_named() -> None:
    """Two matches are two factors and the score of the worse."""
    assessment = assess_indicators([Indicator("ip", "medium"), Indicator("device", "high")])
    assert assessment == Assessment(80.0, ("cti_device", "cti_ip"))
    assert assess_indicators([]) == Assessment(0.0)


def test_a_probability_becomes_a_score_and_a_factor_when_high() -> None:
    """90 of 100 and more is a factor of its own."""
    assert assess_probability(0.5) == Assessment(50.0)
    assert assess_probability(0.95).factors == ("model_high_probability",)


def test_every_level_has_its_decision() -> None:
    """Four of each, in order."""
    assert tuple(DECISION_OF.values()) == DECISIONS
