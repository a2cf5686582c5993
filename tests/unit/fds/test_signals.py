"""One fact becomes its metrics, log lines and spans, under the names that dashboards and alerts use."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.fds.domain import Assessment, EngineRun, Evaluation, Verdict
from services.fds.quality import Labelled, Measures
from services.fds.signals import COMPLETED, DEGRADED, FAILED, LABELLED, SLA_VIOLATED, Signals
from tests.unit.fds.rig import Observed

VERDICT = Verdict(71.5, "high", "hold", ("amount_high", "cti_ip"), (), None)
RUNS = (
    EngineRun("rule", 0.002, Assessment(40)),
    EngineRun("ml", 0.001, Assessment(95)),
    EngineRun("cti", 0.015, Assessment(80)),
)
EVALUATION = Evaluation("e-1", "t-1", VERDICT, RUNS, 0.016, "gbt-1")

# Names, types and label names, written down a second time on purpose.
EXPECTED: dict[str, tuple[str, set[str]]] = {
    "fds_evaluations": ("counter", {"risk_level", "decision"}),
    "fds_evaluation_duration_seconds": ("histogram", set()),
    "fds_evaluation_latency_summary": ("summary", set()),
    "fds_evaluations_in_progress": ("gauge", set()),
    "fds_sla_violations": ("counter", {"engine"}),
    "fds_risk_score_distribution": ("histogram", set()),
    "fds_risk_factors_triggered": ("counter", {"factor"}),
    "fds_risk_level_distribution": ("counter", {"risk_level"}),
    "fds_rule_engine_duration_seconds": ("histogram", set()),
    "fds_ml_engine_duration_seconds": ("histogram", set()),
    "fds_cti_engine_duration_seconds": ("histogram", set()),
    "fds_engine_breakdown_seconds": ("histogram", {"engine"}),
    "fds_true_positives": ("counter", set()),
    "fds_false_positives": ("counter", set()),
    "fds_true_negatives": ("counter", set()),
    "fds_false_negatives": ("counter", set()),
    "fds_decisions": ("counter", {"decision"}),
    "fds_blocked_transactions": ("counter", {"reason"}),
    "fds_additional_auth_required": ("counter", set()),
}


@pytest.fixture
def observed() -> Iterator[Observed]:
    """Telemetry in memory."""
    made = Observed()
    yield made
    made.telemetry.shutdown()


class Clock:
    """Seconds that only the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def families(observed: Observed) -> dict[str, Any]:
    """What is exposed, by name."""
    text = observed.telemetry.metrics.expose(None)[0].decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_every_metric_is_there_from_the_start_at_zero(observed: Observed) -> None:
    """increase() never sees the first event of a series that begins with it."""
    Signals(observed.telemetry.metrics, clock=Clock())
    found = families(observed)
    for name, (kind, labels) in EXPECTED.items():
        assert found[name].type == kind, name
        for sample in found[name].samples:
            assert set(sample.labels) - {"le", "quantile"} == labels, name
            assert sample.value == 0
    for name in ("fds_precision", "fds_recall", "fds_f1_score"):
        assert name not in found or not found[name].samples


def test_an_evaluation_moves_its_metrics(observed: Observed) -> None:
    """Each of them once."""
    Signals(observed.telemetry.metrics, clock=Clock()).record(EVALUATION)
    assert observed.value("fds_evaluations_total", risk_level="high", decision="hold") == 1
    assert observed.value("fds_decisions_total", decision="hold") == 1
    assert observed.value("fds_risk_level_distribution_total", risk_level="high") == 1
    assert observed.value("fds_risk_factors_triggered_total", factor="cti_ip") == 1
    assert observed.value("fds_evaluation_duration_seconds_sum") == 0.016
    assert observed.value("fds_risk_score_distribution_bucket", le="70.0") == 0
    assert observed.value("fds_risk_score_distribution_bucket", le="80.0") == 1
    assert observed.value("fds_evaluation_latency_summary", quantile="0.95") == 0.016
    assert observed.value("fds_ml_engine_duration_seconds_sum") == 0.001
    assert observed.value("fds_engine_breakdown_seconds_sum", engine="cti") == 0.015
    assert observed.value("fds_sla_violations_total", engine="cti") == 0
    assert observed.value("fds_additional_auth_required_total") == 0


@pytest.mark.parametrize(
    ("name", "labels", "edges"),
    [
        ("fds_evaluation_duration_seconds_bucket", {}, ["0.1", "0.25"]),
        ("fds_rule_engine_duration_seconds_bucket", {}, ["0.03"]),
        ("fds_ml_engine_duration_seconds_bucket", {}, ["0.04"]),
        ("fds_cti_engine_duration_seconds_bucket", {}, ["0.05", "0.1"]),
        ("fds_engine_breakdown_seconds_bucket", {"engine": "rule"}, ["0.03", "0.04", "0.05"]),
        ("fds_risk_score_distribution_bucket", {}, [f"{tens}.0" for tens in range(10, 101, 10)]),
    ],
)
def test_buckets_have_an_edge_at_each_target(
    observed: Observed, name: str, labels: dict[str, str], edges: list[str]
) -> None:
    """A share over a target can only be read off at an edge."""
    Signals(observed.telemetry.metrics, clock=Clock())
    assert all(observed.value(name, le=edge, **labels) == 0 for edge in edges)


def test_block_and_auth_have_counters_of_their_own(observed: Observed) -> None:
    """With the reason of a block."""
    signals = Signals(observed.telemetry.metrics, clock=Clock())
    blocked = Verdict(95, "blocked", "block", (), (), "cti_match")
    signals.record(replace(EVALUATION, verdict=blocked))
    signals.record(replace(EVALUATION, verdict=Verdict(40, "medium", "auth", (), (), None)))
    assert observed.value("fds_blocked_transactions_total", reason="cti_match") == 1
    assert observed.value("fds_additional_auth_required_total") == 1


def test_the_completed_line_says_what_was_decided(observed: Observed) -> None:
    """At INFO, with the keys that people search by."""
    Signals(observed.telemetry.metrics, clock=Clock()).record(EVALUATION)
    (line,) = observed.lines(COMPLETED)
    expected = {
        "level": "INFO", "component": "fds", "transaction_id": "t-1", "risk_score": 71.5,
        "risk_level": "high", "decision": "hold", "elapsed_ms": 16.0, "slowest_engine": "cti",
    }  # fmt: skip
    assert expected.items() <= line.items()


def test_a_violation_of_the_sla_is_counted_by_the_slowest_engine_and_warned_of(observed: Observed) -> None:
    """Over 100 ms, not at it."""
    signals = Signals(observed.telemetry.metrics, clock=Clock())
    signals.record(replace(EVALUATION, elapsed_seconds=0.1))
    assert observed.value("fds_sla_violations_total", engine="cti") == 0
    signals.record(replace(EVALUATION, elapsed_seconds=0.151))
    assert observed.value("fds_sla_violations_total", engine="cti") == 1
    (line,) = observed.lines(SLA_VIOLATED)
    assert (line["level"], line["slowest_engine"], line["budget_ms"]) == ("WARNING", "cti", 100.0)


def test_a_part_that_stays_broken_is_told_once_in_ten_seconds(observed: Observed) -> None:
    """And then with the number of times that it was not told; the counter has them all."""
    clock = Clock()
    signals = Signals(observed.telemetry.metrics, clock=clock)
    for _ in range(5):
        signals.velocity_unknown(ConnectionError("refused"))
        signals.record(replace(EVALUATION, verdict=replace(VERDICT, degraded=("velocity",))))
    clock.now += 11
    signals.velocity_unknown(ConnectionError("refused"))
    signals.engine_failed("cti", ConnectionError("refused"))
    told = [(line["part"], line["suppressed"]) for line in observed.lines(DEGRADED)]
    assert told == [("velocity", 0), ("velocity", 4), ("cti", 0)]
    assert observed.value("fds_degraded_evaluations_total", part="velocity") == 5


def test_labels_move_the_counters_and_the_gauges(observed: Observed) -> None:
    """A gauge without enough cases stays away; F1 with it."""
    signals = Signals(observed.telemetry.metrics, clock=Clock())
    signals.labelled(Labelled("t-1", "hold", "fraud"), Measures(None, None, None))
    assert observed.value("fds_true_positives_total") == 1
    assert observed.value("fds_precision") is None
    signals.labelled(Labelled("t-2", "approve", "fraud"), Measures(0.8, None, None))
    assert observed.value("fds_false_negatives_total") == 1
    assert (observed.value("fds_precision"), observed.value("fds_f1_score")) == (0.8, None)
    assert [line["outcome"] for line in observed.lines(LABELLED)] == ["true_positive", "false_negative"]


def test_a_failure_is_an_error(observed: Observed) -> None:
    """With the transaction, so that it can be found again."""
    Signals(observed.telemetry.metrics, clock=Clock()).failed("t-9", ConnectionError("gone"))
    (line,) = observed.lines(FAILED)
    assert (line["level"], line["transaction_id"], line["reason"]) == ("ERROR", "t-9", "gone")
