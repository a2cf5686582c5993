"""The course of one execution: cache, rules, model, keeping, and what happens when one of them fails."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from services.judgment.domain import (
    ATTEMPTED,
    CacheFailed,
    CacheLooked,
    CacheUnavailableError,
    Execution,
    ExecutionEnded,
    ExecutionFailedError,
    Judgment,
    LlmCalled,
    LlmFailedError,
    Method,
    Opinion,
    Order,
    Policy,
    ReplyUnparsableError,
    RuleBookBrokenError,
    Status,
    StoreUnavailableError,
)
from services.judgment.ports import Cache, Llm, RuleBook, Store
from services.judgment.rules import Workflow, combine, judge_by_rules, parse_reply
from services.judgment.signals import Signals
from telemetry.traces import current_trace_id

FAILURES: Mapping[type[Exception], str] = {
    LlmFailedError: "llm_failed",
    StoreUnavailableError: "store_unavailable",
    RuleBookBrokenError: "rules_broken",
}


class Engine:
    """Runs executions; every one, failed or not, is counted, logged and spanned exactly once."""

    def __init__(
        self,
        signals: Signals,
        *,
        book: RuleBook,
        llm: Llm,
        cache: Cache,
        store: Store,
        clock: Callable[[], float],
        llm_timeout_seconds: float,
    ) -> None:
        self._signals = signals
        self._book, self._llm, self._cache, self._store = book, llm, cache, store
        self._clock = clock
        self._llm_timeout = llm_timeout_seconds

    async def execute(self, order: Order) -> Execution:
        """The kept execution, once it is committed; raises ExecutionFailedError."""
        started = self._clock()
        with self._signals.executing(order) as current:
            execution = self._begin(order)
            try:
                judgment = await self._judge(order)
                execution = self._judged(execution, judgment, started)
                await self._store.save(execution)
                await self._remember(order, judgment)
            except Exception as error:  # the boundary of an execution: logged and counted as failed
                current.set("result.status", str(Status.ERROR))
                failed = await self._fail(execution, error, started)
                raise failed from error
            current.set("result.status", str(execution.verdict))
            current.set("result.confidence", execution.confidence)
            self._signals.record(ExecutionEnded(execution, self._clock() - started))
            return execution

    def _begin(self, order: Order) -> Execution:
        return Execution(
            id=str(uuid.uuid4()),
            tenant_id=order.tenant.id,
            workflow_id=order.workflow_id,
            policy=order.policy,
            status=Status.ERROR,
            method=ATTEMPTED[order.policy],
            verdict=None,
            confidence=None,
            cached=False,
            execution_time_ms=0.0,
            trace_id=current_trace_id(),
            case=order.case,
            explanation="",
            created_at=datetime.now(UTC),
        )

    def _judged(self, execution: Execution, judgment: Judgment, started: float) -> Execution:
        return replace(
            execution,
            status=Status.SUCCESS,
            method=judgment.method,
            verdict=judgment.opinion.verdict,
            confidence=judgment.opinion.confidence,
            cached=judgment.method is Method.CACHE,
            execution_time_ms=self._elapsed_ms(started),
            explanation=judgment.opinion.explanation,
        )

    async def _fail(self, execution: Execution, error: Exception, started: float) -> ExecutionFailedError:
        """Keep the failed execution where that is possible, and tell of it."""
        failure = FAILURES.get(type(error), "unexpected")
        reason = str(error) if failure != "unexpected" else type(error).__name__
        failed = replace(
            execution,
            status=Status.ERROR,
            verdict=None,
            confidence=None,
            cached=False,
            execution_time_ms=self._elapsed_ms(started),
            explanation=reason,
        )
        if failure != "store_unavailable":
            try:
                await self._store.save(failed)
            except StoreUnavailableError as second:
                reason = f"{reason}; and not kept: {second}"
        self._signals.record(ExecutionEnded(failed, self._clock() - started, failure, reason))
        return ExecutionFailedError(failure, failed.id, reason)

    async def _judge(self, order: Order) -> Judgment:
        workflow = await self._book.workflow(order.workflow_id)
        if order.use_cache:
            known = await self._recall(order)
            if known is not None:
                return Judgment(known, Method.CACHE)
        if order.policy is Policy.LLM:
            return Judgment(await self._ask(order, workflow), Method.LLM)
        with self._signals.rule_execution():
            by_rules = judge_by_rules(workflow, order.case)
        if order.policy is Policy.RULE:
            return Judgment(by_rules, Method.RULE)
        try:
            by_llm = await self._ask(order, workflow)
        except LlmFailedError as error:
            alone = replace(by_rules, explanation=f"{by_rules.explanation}; {error}")
            return Judgment(alone, Method.RULE, degraded=True)
        return Judgment(combine(by_rules, by_llm, rule_share=workflow.rule_share), Method.HYBRID)

    async def _ask(self, order: Order, workflow: Workflow) -> Opinion:
        """The first readable opinion of the tenant's two models; only an unreadable reply is asked again."""
        for attempt, model in enumerate((order.tenant.model, order.tenant.second_model), start=1):
            try:
                return await self._call(order, workflow, model, attempt)
            except ReplyUnparsableError:
                continue
        raise LlmFailedError("unparsable")

    async def _call(self, order: Order, workflow: Workflow, model: str, attempt: int) -> Opinion:
        started = self._clock()
        status, cost, reason = "error", 0.0, ""
        with self._signals.llm_call(model):
            try:
                async with asyncio.timeout(self._llm_timeout):
                    reply = await self._llm.ask(model, workflow, order.case)
                cost = reply.cost_usd
                opinion = parse_reply(reply.text)
                status = "success"
                return opinion
            except TimeoutError as error:
                status, reason = "timeout", f"no reply within {self._llm_timeout:g} s"
                raise LlmFailedError("timeout") from error
            except (LlmFailedError, ReplyUnparsableError) as error:
                if isinstance(error, ReplyUnparsableError):
                    status = "parse_error"
                reason = str(error)
                raise
            finally:
                seconds = self._clock() - started
                event = LlmCalled(order.tenant.id, model, status, seconds, cost, attempt, reason)
                self._signals.record(event)

    async def _recall(self, order: Order) -> Opinion | None:
        known = None
        try:
            known = await self._cache.get(order.cache_key)
        except CacheUnavailableError as error:
            self._signals.record(CacheFailed("get", str(error)))
        self._signals.record(CacheLooked(order.tenant.id, order.workflow_id, known is not None))
        return known

    async def _remember(self, order: Order, judgment: Judgment) -> None:
        """Cache what was decided the way it was asked for; a fallback must not outlive its cause."""
        if not order.use_cache or judgment.degraded or judgment.method is Method.CACHE:
            return
        try:
            await self._cache.put(order.cache_key, judgment.opinion)
        except CacheUnavailableError as error:
            self._signals.record(CacheFailed("set", str(error)))

    def _elapsed_ms(self, started: float) -> float:
        return round((self._clock() - started) * 1000, 2)
