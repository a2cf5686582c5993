"""Each event becomes its metrics, log line and spans, exactly as the contract names them."""

import re
import time
from collections.abc import Iterator

import pytest

from services.judgment.domain import CacheFailed, ExecutionFailedError, LlmCalled, Policy, RuleBookBrokenError
from services.judgment.signals import DURATION_BUCKETS, Signals
from tests.unit.judgment.fakes import GARBAGE, FakeBook, FakeLlm
from tests.unit.judgment.recorder import Recorder
from tests.unit.judgment.test_engine import INVOICE, World

LABELS = {
    "judgment_executions_total": {"tenant_id", "workflow_id", "status", "method"},
    "judgment_duration_seconds_bucket": {"tenant_id", "workflow_id", "method", "le"},
    "judgment_cache_hits_total": {"tenant_id", "workflow_id"},
    "judgment_cache_misses_total": {"tenant_id", "workflow_id"},
    "llm_calls_total": {"tenant_id", "model", "status"},
    "llm_parsing_failures_total": {"tenant_id", "model"},
    "llm_cost_usd_total": {"tenant_id", "model"},
    "judgment_active_executions": {"tenant_id"},
}


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Signals that end in memory."""
    recorder = Recorder()
    yield recorder
    recorder.stop()


@pytest.mark.parametrize("name", sorted(LABELS))
def test_every_metric_is_there_at_zero_from_the_start(recorder: Recorder, name: str) -> None:
    """Exact names and labels; increase() must see the first event."""
    Signals(recorder.metrics, clock=time.monotonic)
    samples = [s for family in recorder.metrics.registry.collect() for s in family.samples if s.name == name]
    assert samples
    assert all(set(sample.labels) == LABELS[name] and sample.value == 0 for sample in samples)


def test_the_buckets_are_those_of_the_contract(recorder: Recorder) -> None:
    """Alerts and dashboards depend on the edges."""
    Signals(recorder.metrics, clock=time.monotonic)
    assert DURATION_BUCKETS == (0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


@pytest.mark.anyio
async def test_a_success_leaves_one_line_with_all_keys(recorder: Recorder) -> None:
    """The line bears the trace of the execution, and the names that queries use."""
    done = await World(recorder).execute(Policy.HYBRID)
    (line,) = [line for line in recorder.logs if line["message"] == "Judgment execution completed"]
    assert line["level"] == "INFO"
    assert line["component"] == "judgment"
    assert line["execution_id"] == done.id
    assert line["workflow_id"] == INVOICE.id
    assert line["result_status"] == "approved"
    assert line["confidence"] == done.confidence
    assert line["execution_time_ms"] == done.execution_time_ms
    assert line["method_used"] == "hybrid_weighted"
    assert line["trace_id"] == done.trace_id
    assert re.fullmatch("[0-9a-f]{32}", str(line["trace_id"]))


@pytest.mark.anyio
async def test_a_success_is_spanned_with_its_parts(recorder: Recorder) -> None:
    """Rules and model are children of the execution, which says what came out."""
    done = await World(recorder).execute(Policy.HYBRID)
    rules, call, execution = recorder.spans
    assert [span.name for span in (rules, call, execution)] == [
        "judgment.rule_execution", "judgment.llm_call", "judgment.execute",
    ]  # fmt: skip
    assert rules.parent is not None
    assert call.parent is not None
    assert rules.parent.span_id == call.parent.span_id == execution.context.span_id
    assert execution.attributes == {
        "workflow_id": INVOICE.id,
        "policy": "hybrid",
        "result.status": "approved",
        "result.confidence": done.confidence,
    }
    assert call.attributes == {"model": "gpt-4o"}


@pytest.mark.anyio
async def test_a_success_leaves_an_exemplar_that_leads_to_its_trace(recorder: Recorder) -> None:
    """OpenMetrics carries the trace id on the series of this tenant."""
    done = await World(recorder).execute(Policy.HYBRID)
    text = recorder.metrics.expose("application/openmetrics-text")[0].decode()
    lines = [line for line in text.splitlines() if f'trace_id="{done.trace_id}"' in line]
    names = {line.partition("{")[0] for line in lines if 'tenant_id="acme"' in line}
    assert {"judgment_executions_total", "judgment_duration_seconds_bucket"} <= names


@pytest.mark.anyio
async def test_a_failure_leaves_an_error_line_and_a_failed_span(recorder: Recorder) -> None:
    """The three signals agree, and nothing stays active."""
    world = World(recorder, book=FakeBook(RuleBookBrokenError("gone")))
    with pytest.raises(ExecutionFailedError):
        await world.execute(Policy.HYBRID)
    (line,) = [line for line in recorder.logs if line["message"] == "Judgment execution failed"]
    assert (line["level"], line["failure"], line["result_status"]) == ("ERROR", "rules_broken", "error")
    (span,) = recorder.spans
    assert span.attributes is not None
    assert span.attributes["result.status"] == "error"
    assert not span.status.is_ok
    assert recorder.value("judgment_active_executions", tenant_id="acme") == 0
    assert recorder.moved("judgment_duration_seconds_count") == {("hybrid_weighted", "acme", INVOICE.id): 1}


@pytest.mark.anyio
async def test_an_unreadable_reply_is_a_warning_without_the_reply(recorder: Recorder) -> None:
    """What a model says may hold anything, so only its kind and length are logged."""
    await World(recorder, llm=FakeLlm([GARBAGE])).execute(Policy.HYBRID)
    lines = [line for line in recorder.logs if line["message"] == "LLM reply could not be parsed"]
    assert [(line["level"], line["component"], line["model"], line["attempt"]) for line in lines] == [
        ("WARNING", "llm", "gpt-4o", 1),
        ("WARNING", "llm", "claude-sonnet", 2),
    ]
    assert GARBAGE not in str(lines)


@pytest.mark.parametrize(
    ("status", "message"),
    [("timeout", "LLM call timed out"), ("error", "LLM call failed"), ("success", None)],
)
def test_each_outcome_of_a_call_is_told(recorder: Recorder, status: str, message: str | None) -> None:
    """Success is only counted; the rest warns."""
    Signals(recorder.metrics, clock=time.monotonic).record(LlmCalled("acme", "gpt-4o", status, 4.0, 0.0))
    assert recorder.moved("llm_calls_total") == {("gpt-4o", status, "acme"): 1}
    assert [line["message"] for line in recorder.logs] == ([message] if message else [])


def test_a_dead_cache_is_told_again_after_a_while_with_what_was_left_out(recorder: Recorder) -> None:
    """Ten seconds of silence between two lines, and no loss of the count."""
    now = 100.0
    signals = Signals(recorder.metrics, clock=lambda: now)
    for _ in range(5):
        signals.record(CacheFailed("get", "ConnectionError"))
    now = 111.0
    signals.record(CacheFailed("get", "ConnectionError"))
    assert [line["suppressed"] for line in recorder.logs] == [0, 4]
