"""Every metric, log event and span of fds, declared once; `record` turns one fact into its signals."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from services.fds import domain, rules
from services.fds.domain import EngineName, EngineRun, Evaluation
from services.fds.quality import OUTCOMES, Labelled, Measures
from telemetry.logs import get_logger
from telemetry.metrics import Gauge, Metrics
from telemetry.sentry import add_fds_breadcrumb, capture_fds_exception, capture_fds_performance_issue
from telemetry.traces import Span, span

# 0.1 is the SLA; the engines' targets are 0.030, 0.040 and 0.050; 0.25 is the limit of one engine.
EVALUATION_BUCKETS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0)
ENGINE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5)
SCORE_BUCKETS: Final = tuple(float(edge) for edge in range(10, 101, 10))
FACTORS: Final = (*rules.FACTORS, domain.MODEL_FACTOR, *domain.CTI_FACTORS.values())
DEGRADABLE: Final = (*domain.ENGINES, rules.VELOCITY, domain.ML_SERVICE)
QUIET_SECONDS: Final = 10.0
"""A part that stays broken is told once in this time; the counter says how often it was missed."""

COMPLETED: Final = "FDS evaluation completed"
SLA_VIOLATED: Final = "FDS evaluation over its budget"
DEGRADED: Final = "FDS evaluation without a part"
FAILED: Final = "FDS evaluation failed"
LABELLED: Final = "FDS decision labelled"
ML_SERVICE_BACK: Final = "FDS model server answers again"
PREPARED: Final = "FDS store ready"
UNPREPARED: Final = "FDS store not ready yet"


class Signals:
    """The service's metrics and log events; one per process. It is Witness of engines and model server."""

    def __init__(self, metrics: Metrics, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._log = get_logger("fds")
        self._quiet_until: dict[str, float] = {}
        self._untold: dict[str, int] = {}
        self._declare_evaluations(metrics)
        self._declare_engines(metrics)
        self._declare_quality(metrics)

    def _declare_evaluations(self, metrics: Metrics) -> None:
        self.evaluations = metrics.counter(
            "fds_evaluations_total", "Evaluations by risk level and decision", ("risk_level", "decision")
        )
        self.duration = metrics.histogram(
            "fds_evaluation_duration_seconds",
            "Time from asking the engines to the decision, storing not included, in seconds",
            buckets=EVALUATION_BUCKETS,
        )
        self.latency = metrics.quantiles(
            "fds_evaluation_latency_summary", "Quantiles of the evaluations of the last minute, in seconds"
        )
        self.in_progress = metrics.gauge("fds_evaluations_in_progress", "Evaluations running now")
        self.scores = metrics.histogram(
            "fds_risk_score_distribution", "Risk scores, 0 to 100", buckets=SCORE_BUCKETS
        )
        self.factors = metrics.counter(
            "fds_risk_factors_triggered_total", "What spoke for a risk", ("factor",)
        )
        self.levels = metrics.counter(
            "fds_risk_level_distribution_total", "Evaluations by risk level", ("risk_level",)
        )
        self.decisions = metrics.counter("fds_decisions_total", "Evaluations by decision", ("decision",))
        self.blocked = metrics.counter(
            "fds_blocked_transactions_total", "Blocked transactions by what blocked them", ("reason",)
        )
        self.auth = metrics.counter(
            "fds_additional_auth_required_total", "Transactions that need additional authentication"
        )
        self.evaluations.preset(*((level, decision) for level, decision in domain.DECISION_OF.items()))
        self.in_progress.preset(())
        self.factors.preset(*((factor,) for factor in FACTORS))
        self.levels.preset(*((level,) for level in domain.RISK_LEVELS))
        self.decisions.preset(*((decision,) for decision in domain.DECISIONS))
        self.blocked.preset(*((reason,) for reason in domain.BLOCK_REASONS))
        for unlabelled in (self.duration, self.scores, self.auth):
            unlabelled.preset(())

    def _declare_engines(self, metrics: Metrics) -> None:
        self.sla_violations = metrics.counter(
            "fds_sla_violations_total", "Evaluations over 100 ms by their slowest engine", ("engine",)
        )
        self.engines = {
            name: metrics.histogram(
                f"fds_{name}_engine_duration_seconds",
                f"Time until the {name} engine answered or was given up, in seconds",
                buckets=ENGINE_BUCKETS,
            )
            for name in domain.ENGINES
        }
        self.breakdown = metrics.histogram(
            "fds_engine_breakdown_seconds",
            "Time until an engine answered or was given up, in seconds",
            ("engine",),
            buckets=ENGINE_BUCKETS,
        )
        self.degraded = metrics.counter(
            "fds_degraded_evaluations_total", "Evaluations that had to do without a part", ("part",)
        )
        self.sla_violations.preset(*((name,) for name in domain.ENGINES))
        self.breakdown.preset(*((name,) for name in domain.ENGINES))
        self.degraded.preset(*((part,) for part in DEGRADABLE))
        for histogram in self.engines.values():
            histogram.preset(())

    def _declare_quality(self, metrics: Metrics) -> None:
        meanings = ("Fraud, held or blocked", "Legitimate, held or blocked", "Legitimate, let through",
                    "Fraud, let through")  # fmt: skip
        self.outcomes = {
            outcome: metrics.counter(f"fds_{outcome}s_total", meaning)
            for outcome, meaning in zip(OUTCOMES, meanings, strict=True)
        }
        for counter in self.outcomes.values():
            counter.preset(())
        window = "(last 200 cases that could change it; absent below 50)"
        self.precision = metrics.gauge("fds_precision", f"Share of the stopped that was fraud {window}")
        self.recall = metrics.gauge("fds_recall", f"Share of fraud that was stopped {window}")
        self.f1 = metrics.gauge("fds_f1_score", "Harmonic mean of both; absent when either is")

    def record(self, event: Evaluation) -> None:
        """An evaluation was made and kept; called inside its span, for the exemplars."""
        verdict = event.verdict
        self.evaluations.add(1, verdict.risk_level, verdict.decision)
        self.duration.observe(event.elapsed_seconds)
        self.latency.observe(event.elapsed_seconds)
        self.scores.observe(verdict.risk_score)
        self.levels.add(1, verdict.risk_level)
        self.decisions.add(1, verdict.decision)
        for factor in verdict.factors:
            self.factors.add(1, factor)
        if verdict.block_reason is not None:
            self.blocked.add(1, verdict.block_reason)
        if verdict.decision == "auth":
            self.auth.add(1)
        for run in event.runs:
            self._engine_ran(run)
        self._tell(event)

    def _engine_ran(self, run: EngineRun) -> None:
        self.engines[run.name].observe(run.seconds)
        self.breakdown.observe(run.seconds, run.name)

    def _tell(self, event: Evaluation) -> None:
        verdict = event.verdict
        fields = {
            "transaction_id": event.transaction_id,
            "evaluation_id": event.evaluation_id,
            "risk_score": verdict.risk_score,
            "risk_level": verdict.risk_level,
            "decision": verdict.decision,
            "elapsed_ms": round(event.elapsed_seconds * 1000, 2),
            "slowest_engine": event.slowest,
        }
        self._log.info(COMPLETED, **fields, factors=list(verdict.factors), degraded=list(verdict.degraded))
        if event.over_budget:
            self.sla_violations.add(1, event.slowest)
            self._log.warning(SLA_VIOLATED, **fields, budget_ms=domain.BUDGET_SECONDS * 1000)
            capture_fds_performance_issue(
                engine=event.slowest,
                duration_ms=event.elapsed_seconds * 1000,
                threshold_ms=domain.BUDGET_SECONDS * 1000,
                transaction_id=event.transaction_id,
                risk_score=verdict.risk_score,
            )
        for part in verdict.degraded:
            self.degraded.add(1, part)
        for run in event.runs:
            if run.failure == "timeout":
                self._seldom(DEGRADED, run.name, reason="timeout", waited_ms=round(run.seconds * 1000, 1))
            if run.error is not None:
                capture_fds_exception(
                    run.error,
                    transaction_id=event.transaction_id,
                    risk_score=verdict.risk_score,
                    engine=run.name,
                    duration_ms=run.seconds * 1000,
                )

    def failed(self, transaction_id: str, error: BaseException) -> None:
        """An evaluation could not be made or kept."""
        self._log.error(FAILED, transaction_id=transaction_id, reason=str(error)[:200])
        capture_fds_exception(error, transaction_id=transaction_id)

    def engine_failed(self, name: EngineName, error: BaseException) -> None:
        """An engine raised."""
        self._seldom(DEGRADED, name, reason=f"{type(error).__name__}: {error}"[:200])

    def velocity_unknown(self, error: BaseException) -> None:
        """The rule engine had to do without velocity."""
        self._seldom(DEGRADED, rules.VELOCITY, reason=str(error)[:200])

    def model_missed(self, error: BaseException) -> None:
        """The ML engine went on with its own copy of the model."""
        self._seldom(DEGRADED, domain.ML_SERVICE, reason=str(error)[:200])

    def model_back(self) -> None:
        """The model server answered, for the first time after it did not."""
        self._log.info(ML_SERVICE_BACK)

    def _seldom(self, message: str, part: str, **fields: object) -> None:
        now = self._clock()
        if now < self._quiet_until.get(part, float("-inf")):
            self._untold[part] = self._untold.get(part, 0) + 1
            return
        self._log.warning(message, part=part, suppressed=self._untold.pop(part, 0), **fields)
        self._quiet_until[part] = now + QUIET_SECONDS

    def labelled(self, event: Labelled, measures: Measures) -> None:
        """A decision got its label, for the first time."""
        self.outcomes[event.outcome].add(1)
        self.measured(measures)
        self._log.info(
            LABELLED,
            transaction_id=event.transaction_id,
            decision=event.decision,
            label=event.label,
            outcome=event.outcome,
        )

    def measured(self, measures: Measures) -> None:
        """Set the quality gauges; one without a value is not exposed."""
        for gauge, value in (
            (self.precision, measures.precision),
            (self.recall, measures.recall),
            (self.f1, measures.f1),
        ):
            _set(gauge, value)

    def prepared(self) -> None:
        """The tables are there."""
        self._log.info(PREPARED)

    def unprepared(self, error: BaseException) -> None:
        """The tables could not be made yet."""
        self._seldom(UNPREPARED, "store", reason=str(error)[:200])

    @contextmanager
    def evaluating(self, transaction_id: str) -> Iterator[Span]:
        """Count and span an evaluation; the caller sets the result's attributes."""
        self.in_progress.add(1)
        try:
            add_fds_breadcrumb("Evaluating", transaction_id=transaction_id)
            with span("fds.evaluate", transaction_id=transaction_id) as current:
                yield current
        finally:
            self.in_progress.add(-1)

    @contextmanager
    def engine(self, name: EngineName) -> Iterator[Span]:
        """Span one engine."""
        with span(f"fds.{name}_engine") as current:
            yield current


def _set(gauge: Gauge, value: float | None) -> None:
    if value is not None:
        gauge.set(value)
