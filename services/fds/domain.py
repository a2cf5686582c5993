"""What a fraud evaluation is: transactions, assessments of the engines, one score and one decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

RiskLevel = Literal["low", "medium", "high", "blocked"]
Decision = Literal["approve", "auth", "hold", "block"]
EngineName = Literal["rule", "ml", "cti"]
Failure = Literal["", "timeout", "error"]
BlockReason = Literal["cti_match", "rule_limit", "model_and_rules", "combined_score"]
IndicatorKind = Literal["ip", "device", "email_domain"]

RISK_LEVELS: Final[tuple[RiskLevel, ...]] = ("low", "medium", "high", "blocked")
DECISIONS: Final[tuple[Decision, ...]] = ("approve", "auth", "hold", "block")
ENGINES: Final[tuple[EngineName, ...]] = ("rule", "ml", "cti")
BLOCK_REASONS: Final[tuple[BlockReason, ...]] = (
    "cti_match", "rule_limit", "model_and_rules", "combined_score",
)  # fmt: skip
DECISION_OF: Final[Mapping[RiskLevel, Decision]] = dict(zip(RISK_LEVELS, DECISIONS, strict=True))

BUDGET_SECONDS: Final = 0.100
"""The target of one evaluation; longer ones are answered all the same and counted as SLA violations."""
ENGINE_LIMIT_SECONDS: Final = 0.250
"""After this an engine is left out. Cutting off at the budget itself would hide every slow engine from the
SLA counter and, worse, decide without it; two and a half budgets keep the answer useful to a checkout."""

WEIGHTS: Final[Mapping[EngineName, float]] = {"rule": 0.35, "ml": 0.45, "cti": 0.20}
ML_SERVICE: Final = "ml_service"
"""The model server's name among the parts that an evaluation can do without: there is an own copy."""
MODEL_FACTOR: Final = "model_high_probability"
MODEL_FACTOR_SCORE: Final = 90.0
CTI_FACTORS: Final[Mapping[IndicatorKind, str]] = {
    "ip": "cti_ip", "device": "cti_device", "email_domain": "cti_email_domain",
}  # fmt: skip
SEVERITY_SCORES: Final[Mapping[str, float]] = {"critical": 100.0, "high": 80.0, "medium": 50.0}

# Lowest score of each level; the first, low, begins at 0.
_MEDIUM, _HIGH, _BLOCKED = 30.0, 60.0, 85.0


@dataclass(frozen=True)
class Transaction:
    """A payment to be judged. `amount` is in KRW; countries are two characters; what is unknown is None."""

    transaction_id: str
    user_id: str
    amount: float
    payment_method: str
    occurred_at: datetime
    ip: str | None = None
    country: str | None = None
    device_id: str | None = None
    card_id: str | None = None
    email_domain: str | None = None
    shipping_country: str | None = None
    billing_country: str | None = None
    items_count: int = 1
    account_age_days: int | None = None


@dataclass(frozen=True)
class Velocity:
    """How busy a user, card and address were of late, this transaction included."""

    user_per_minute: float
    card_per_minute: float
    ip_per_minute: float
    user_krw_per_hour: float


@dataclass(frozen=True)
class Indicator:
    """An entry of the threat feed that matched. `severity` is medium, high or critical."""

    kind: IndicatorKind
    severity: str


@dataclass(frozen=True)
class Prediction:
    """A model's opinion: the probability of fraud, 0 to 1, whose it is, and what had to be done without."""

    probability: float
    model_version: str
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assessment:
    """One engine's opinion: `score` 0 to 100, what spoke for it, and what it had to do without.

    `model_version` says which model it comes from, if it comes from one.
    """

    score: float
    factors: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    model_version: str | None = None


@dataclass(frozen=True)
class EngineRun:
    """One engine's part in an evaluation; without an assessment, `failure` says why.

    `error` is what the engine raised, for those who report it.
    """

    name: EngineName
    seconds: float
    assessment: Assessment | None
    failure: Failure = ""
    error: BaseException | None = None


@dataclass(frozen=True)
class Verdict:
    """The engines' opinions as one: `risk_score` 0 to 100 and what to do."""

    risk_score: float
    risk_level: RiskLevel
    decision: Decision
    factors: tuple[str, ...]
    degraded: tuple[str, ...]
    block_reason: BlockReason | None


@dataclass(frozen=True)
class Evaluation:
    """The fact that a transaction was evaluated."""

    evaluation_id: str
    transaction_id: str
    verdict: Verdict
    runs: tuple[EngineRun, ...]
    elapsed_seconds: float
    model_version: str

    @property
    def slowest(self) -> EngineName:
        """The engine that took longest, answered or not."""
        return max(self.runs, key=lambda run: run.seconds).name

    @property
    def over_budget(self) -> bool:
        """Whether the SLA was violated."""
        return self.elapsed_seconds > BUDGET_SECONDS


def assess_indicators(matches: Sequence[Indicator]) -> Assessment:
    """The CTI engine's opinion: the worst severity that matched; no match is 0."""
    score = max((SEVERITY_SCORES.get(match.severity, 50.0) for match in matches), default=0.0)
    return Assessment(score, tuple(sorted({CTI_FACTORS[match.kind] for match in matches})))


def assess_probability(probability: float) -> Assessment:
    """The ML engine's opinion of a fraud probability between 0 and 1."""
    score = 100.0 * min(1.0, max(0.0, probability))
    return Assessment(score, (MODEL_FACTOR,) if score >= MODEL_FACTOR_SCORE else ())


def assess_prediction(prediction: Prediction) -> Assessment:
    """The ML engine's opinion of a prediction."""
    opinion = assess_probability(prediction.probability)
    return replace(opinion, degraded=prediction.degraded, model_version=prediction.model_version)


def level_of(risk_score: float) -> RiskLevel:
    """The level of a score of 0 to 100."""
    if risk_score >= _BLOCKED:
        return "blocked"
    if risk_score >= _HIGH:
        return "high"
    return "medium" if risk_score >= _MEDIUM else "low"


def conclude(runs: Sequence[EngineRun]) -> Verdict:
    """Join what the engines said.

    The score is the weighted mean of the engines that answered, lifted to a floor where one engine alone is
    sure (see `_floor`). For the same engines answering, no engine's higher score lowers it. With fewer than
    two engines the evidence is too thin to approve: at least additional authentication is asked for.
    """
    answered = {run.name: run.assessment for run in runs if run.assessment is not None}
    scores = {name: assessment.score for name, assessment in answered.items()}
    weight = sum(WEIGHTS[name] for name in scores)
    mean = sum(WEIGHTS[name] * score for name, score in scores.items()) / weight if weight else 0.0
    floor, reason = _floor(scores)
    risk_score = round(min(100.0, max(mean, floor, _MEDIUM if len(scores) < 2 else 0.0)), 1)
    level = level_of(risk_score)
    missing = [run.name for run in runs if run.assessment is None]
    without = [part for assessment in answered.values() for part in assessment.degraded]
    return Verdict(
        risk_score=risk_score,
        risk_level=level,
        decision=DECISION_OF[level],
        factors=tuple(factor for assessment in answered.values() for factor in assessment.factors),
        degraded=(*missing, *without),
        block_reason=(reason or "combined_score") if level == "blocked" else None,
    )


def _floor(scores: Mapping[EngineName, float]) -> tuple[float, BlockReason | None]:
    """The score below which no other engine's calm may pull a sure one, and the reason if it blocks."""
    rule, ml, cti = scores.get("rule", 0.0), scores.get("ml", 0.0), scores.get("cti", 0.0)
    if cti >= SEVERITY_SCORES["critical"]:
        return 95.0, "cti_match"
    if rule >= 100.0:
        return 90.0, "rule_limit"
    if ml >= MODEL_FACTOR_SCORE and rule >= 50.0:
        return 88.0, "model_and_rules"
    if ml >= MODEL_FACTOR_SCORE or rule >= 70.0 or cti >= SEVERITY_SCORES["high"]:
        return 65.0, None
    return 0.0, None
