"""Every metric, log event and span of judgment, declared once; `record` turns one event into its signals."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product

from services.judgment.catalogue import MODELS, TENANTS, WORKFLOWS
from services.judgment.domain import (
    CacheFailed,
    CacheLooked,
    Event,
    ExecutionEnded,
    LlmCalled,
    Method,
    Order,
    Status,
)
from telemetry.logs import get_logger
from telemetry.metrics import Metrics
from telemetry.traces import Span, span

DURATION_BUCKETS = (0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
LLM_STATUSES = ("success", "parse_error", "timeout", "error")
CACHE_OPERATIONS = ("get", "set")
QUIET_SECONDS = 10.0  # a dead cache is told once in this time, not once per execution

COMPLETED = "Judgment execution completed"
FAILED = "Judgment execution failed"
CACHE_UNAVAILABLE = "Judgment cache unavailable"
LLM_UNPARSABLE = "LLM reply could not be parsed"
LLM_TIMED_OUT = "LLM call timed out"
LLM_ERROR = "LLM call failed"


class Signals:
    """The service's metrics and log events; one per process."""

    def __init__(self, metrics: Metrics, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._quiet_until = float("-inf")
        self._suppressed = 0
        self._log = get_logger("judgment")
        self._llm_log = get_logger("llm")
        self._cache_log = get_logger("cache")
        self._declare(metrics)
        self._preset()

    def _declare(self, metrics: Metrics) -> None:
        tenant_workflow = ("tenant_id", "workflow_id")
        self.executions = metrics.counter(
            "judgment_executions_total",
            "Judgment executions; method is what decided, or what was attempted when status is error",
            (*tenant_workflow, "status", "method"),
        )
        self.duration = metrics.histogram(
            "judgment_duration_seconds",
            "Duration of a judgment execution, failed ones included, in seconds",
            (*tenant_workflow, "method"),
            buckets=DURATION_BUCKETS,
        )
        self.cache_hits = metrics.counter(
            "judgment_cache_hits_total", "Executions answered from the cache", tenant_workflow
        )
        self.cache_misses = metrics.counter(
            "judgment_cache_misses_total",
            "Executions that the cache could not answer, an unreachable cache included",
            tenant_workflow,
        )
        self.cache_errors = metrics.counter(
            "judgment_cache_errors_total", "Operations that the cache refused or did not end", ("operation",)
        )
        self.llm_calls = metrics.counter(
            "llm_calls_total", "Calls of language models by outcome", ("tenant_id", "model", "status")
        )
        self.llm_parsing_failures = metrics.counter(
            "llm_parsing_failures_total", "Replies that are not an opinion", ("tenant_id", "model")
        )
        self.llm_cost = metrics.counter(
            "llm_cost_usd_total", "Cost of language model calls in USD", ("tenant_id", "model")
        )
        self.active = metrics.gauge(
            "judgment_active_executions", "Judgment executions running now", ("tenant_id",)
        )

    def _preset(self) -> None:
        """Start every closed label set at 0, or increase() would never see its first event."""
        pairs = list(product(TENANTS, WORKFLOWS))
        self.executions.preset(*((t, w, s, m) for (t, w), s, m in product(pairs, Status, Method)))
        self.duration.preset(*((t, w, m) for (t, w), m in product(pairs, Method)))
        self.cache_hits.preset(*pairs)
        self.cache_misses.preset(*pairs)
        self.cache_errors.preset(*((operation,) for operation in CACHE_OPERATIONS))
        self.llm_calls.preset(*product(TENANTS, MODELS, LLM_STATUSES))
        self.llm_parsing_failures.preset(*product(TENANTS, MODELS))
        self.llm_cost.preset(*product(TENANTS, MODELS))
        self.active.preset(*((tenant,) for tenant in TENANTS))

    def record(self, event: Event) -> None:
        """Count and log what happened; called inside the span that it belongs to, for the exemplars."""
        match event:
            case ExecutionEnded():
                self._execution_ended(event)
            case CacheLooked(tenant_id, workflow_id, hit):
                (self.cache_hits if hit else self.cache_misses).add(1, tenant_id, workflow_id)
            case CacheFailed():
                self._cache_failed(event)
            case LlmCalled():
                self._llm_called(event)

    def _execution_ended(self, event: ExecutionEnded) -> None:
        done = event.execution
        self.executions.add(1, done.tenant_id, done.workflow_id, done.status, done.method)
        self.duration.observe(event.seconds, done.tenant_id, done.workflow_id, done.method)
        fields = {
            "execution_id": done.id,
            "workflow_id": done.workflow_id,
            "result_status": done.verdict or done.status,
            "confidence": done.confidence,
            "execution_time_ms": done.execution_time_ms,
            "method_used": done.method,
            "policy": done.policy,
        }
        if event.failure is None:
            self._log.info(COMPLETED, **fields, cached=done.cached)
        else:
            self._log.error(FAILED, **fields, failure=event.failure, reason=event.reason)

    def _cache_failed(self, event: CacheFailed) -> None:
        self.cache_errors.add(1, event.operation)
        now = self._clock()
        if now < self._quiet_until:
            self._suppressed += 1
            return
        self._cache_log.warning(
            CACHE_UNAVAILABLE, operation=event.operation, reason=event.reason, suppressed=self._suppressed
        )
        self._quiet_until, self._suppressed = now + QUIET_SECONDS, 0

    def _llm_called(self, event: LlmCalled) -> None:
        self.llm_calls.add(1, event.tenant_id, event.model, event.status)
        if event.cost_usd:
            self.llm_cost.add(event.cost_usd, event.tenant_id, event.model)
        fields = {
            "model": event.model,
            "attempt": event.attempt,
            "elapsed_ms": round(event.seconds * 1000, 1),
            "reason": event.reason,
        }
        if event.status == "parse_error":
            self.llm_parsing_failures.add(1, event.tenant_id, event.model)
            self._llm_log.warning(LLM_UNPARSABLE, **fields)
        elif event.status == "timeout":
            self._llm_log.warning(LLM_TIMED_OUT, **fields)
        elif event.status == "error":
            self._llm_log.warning(LLM_ERROR, **fields)

    @contextmanager
    def executing(self, order: Order) -> Iterator[Span]:
        """Count the execution as active and span it; the caller sets result.status and result.confidence."""
        self.active.add(1, order.tenant.id)
        try:
            with span("judgment.execute", workflow_id=order.workflow_id, policy=str(order.policy)) as current:
                yield current
        finally:
            self.active.add(-1, order.tenant.id)

    @contextmanager
    def rule_execution(self) -> Iterator[Span]:
        """Span the rules of one execution."""
        with span("judgment.rule_execution") as current:
            yield current

    @contextmanager
    def llm_call(self, model: str) -> Iterator[Span]:
        """Span one call of a language model."""
        with span("judgment.llm_call", model=model) as current:
            yield current
