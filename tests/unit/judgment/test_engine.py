"""One execution end to end with fakes: what decides, what is kept, and what happens when a part fails."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from services.judgment.catalogue import TENANTS, WORKFLOWS
from services.judgment.domain import (
    Execution,
    ExecutionFailedError,
    LlmFailedError,
    Method,
    Order,
    Policy,
    Reply,
    RuleBookBrokenError,
    Status,
    Value,
    Verdict,
)
from services.judgment.engine import Engine
from services.judgment.rules import Workflow, normalise
from services.judgment.signals import Signals
from tests.unit.judgment.fakes import GARBAGE, FakeBook, FakeCache, FakeLlm, FakeStore
from tests.unit.judgment.recorder import Recorder

pytestmark = pytest.mark.anyio
INVOICE = WORKFLOWS["invoice-approval"]


class SilentLlm:
    """Never answers."""

    async def ask(self, model: str, workflow: Workflow, case: Mapping[str, Value]) -> Reply:
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


@dataclass
class World:
    """An engine between fakes."""

    recorder: Recorder
    book: FakeBook = field(default_factory=FakeBook)
    llm: FakeLlm | SilentLlm = field(default_factory=FakeLlm)
    cache: FakeCache = field(default_factory=FakeCache)
    store: FakeStore = field(default_factory=FakeStore)

    def __post_init__(self) -> None:
        self.signals = Signals(self.recorder.metrics, clock=time.monotonic)

    async def execute(self, policy: Policy, *, use_cache: bool = True, amount: float = 100.0) -> Execution:
        """One execution of tenant acme."""
        engine = Engine(
            self.signals,
            book=self.book,
            llm=self.llm,
            cache=self.cache,
            store=self.store,
            clock=time.perf_counter,
            llm_timeout_seconds=0.05,
        )
        case = normalise({"amount": amount, "supplier_risk": 0.1, "has_purchase_order": True}, INVOICE)
        return await engine.execute(Order(TENANTS["acme"], INVOICE.id, policy, case, use_cache))

    def executions(self) -> Mapping[tuple[str, ...], float]:
        """Counted executions by method, status, tenant and workflow."""
        return self.recorder.moved("judgment_executions_total")


@pytest.fixture
def world() -> Iterator[World]:
    """A world in which everything works."""
    recorder = Recorder()
    yield World(recorder)
    recorder.stop()


@pytest.mark.parametrize(
    ("policy", "method", "asked"),
    [(Policy.RULE, Method.RULE, 0), (Policy.LLM, Method.LLM, 1), (Policy.HYBRID, Method.HYBRID, 1)],
)
async def test_each_policy_has_its_method(world: World, policy: Policy, method: Method, asked: int) -> None:
    """The rule policy spends nothing; the others ask the tenant's model once."""
    done = await world.execute(policy)
    assert (done.status, done.method, done.verdict, done.cached) == (
        Status.SUCCESS, method, Verdict.APPROVED, False,
    )  # fmt: skip
    assert world.llm.asked == ["gpt-4o"] * asked
    assert world.executions() == {(method, "success", "acme", INVOICE.id): 1}
    assert world.store.kept == [done]


async def test_the_second_time_the_cache_answers(world: World) -> None:
    """A hit is an execution of its own, kept too, with method cache."""
    first = await world.execute(Policy.HYBRID)
    second = await world.execute(Policy.HYBRID)
    assert (second.method, second.cached, second.verdict) == (Method.CACHE, True, first.verdict)
    assert second.confidence == first.confidence
    assert second.id != first.id
    assert len(world.store.kept) == 2
    assert world.recorder.moved("judgment_cache_hits_total") == {("acme", INVOICE.id): 1}
    assert world.recorder.moved("judgment_cache_misses_total") == {("acme", INVOICE.id): 1}


async def test_who_wants_no_cache_neither_reads_nor_fills_it(world: World) -> None:
    """use_cache false is neither a hit nor a miss."""
    await world.execute(Policy.RULE, use_cache=False)
    assert not world.cache.kept
    assert not world.recorder.moved("judgment_cache_misses_total")


async def test_a_dead_cache_is_a_miss_and_told_once(world: World) -> None:
    """Executions go on; the log is not flooded."""
    world.cache.broken = True
    for _ in range(20):
        assert (await world.execute(Policy.RULE)).status is Status.SUCCESS
    assert world.recorder.moved("judgment_cache_misses_total") == {("acme", INVOICE.id): 20}
    assert world.recorder.moved("judgment_cache_errors_total") == {("get",): 20, ("set",): 20}
    told = [line for line in world.recorder.logs if line["message"] == "Judgment cache unavailable"]
    assert [line["level"] for line in told] == ["WARNING"]


async def test_an_unreadable_reply_is_asked_again_of_the_second_model(world: World) -> None:
    """One retry; both calls are paid, and the failure belongs to the model that failed."""
    world.llm = FakeLlm([GARBAGE, '{"verdict": "approved", "confidence": 0.9, "explanation": "x"}'])
    done = await world.execute(Policy.HYBRID)
    assert done.method is Method.HYBRID
    assert world.llm.asked == ["gpt-4o", "claude-sonnet"]
    assert world.recorder.moved("llm_parsing_failures_total") == {("gpt-4o", "acme"): 1}
    assert world.recorder.moved("llm_calls_total") == {
        ("gpt-4o", "parse_error", "acme"): 1,
        ("claude-sonnet", "success", "acme"): 1,
    }
    assert sum(world.recorder.moved("llm_cost_usd_total").values()) == pytest.approx(0.02)


@pytest.mark.parametrize("reply", [GARBAGE, LlmFailedError("error")])
async def test_hybrid_falls_back_to_the_rules(world: World, reply: str | Exception) -> None:
    """It succeeds with method rule, says why, and does not fill the cache."""
    world.llm = FakeLlm([reply])
    done = await world.execute(Policy.HYBRID)
    assert (done.status, done.method) == (Status.SUCCESS, Method.RULE)
    assert "no usable opinion" in done.explanation
    assert not world.cache.kept


async def test_a_silent_model_costs_its_time_out(world: World) -> None:
    """Hybrid goes on with the rules and the model is not asked a second time."""
    world.llm = SilentLlm()
    done = await world.execute(Policy.HYBRID)
    assert done.method is Method.RULE
    assert world.recorder.moved("llm_calls_total") == {("gpt-4o", "timeout", "acme"): 1}
    assert "LLM call timed out" in [line["message"] for line in world.recorder.logs]


async def test_policy_llm_fails_without_a_model(world: World) -> None:
    """There is nothing to fall back to: status error, method llm, and the failure is kept."""
    world.llm = FakeLlm([LlmFailedError("error")])
    with pytest.raises(ExecutionFailedError) as failed:
        await world.execute(Policy.LLM)
    assert failed.value.failure == "llm_failed"
    assert world.executions() == {("llm", "error", "acme", INVOICE.id): 1}
    kept = world.store.kept[0]
    assert (kept.id, kept.status, kept.verdict) == (failed.value.execution_id, Status.ERROR, None)


@pytest.mark.parametrize("policy", list(Policy))
async def test_a_broken_rule_book_fails_every_policy(world: World, policy: Policy) -> None:
    """Cached or not: the fault execution_error reaches every execution."""
    await world.execute(policy)
    world.book.error = RuleBookBrokenError("gone")
    with pytest.raises(ExecutionFailedError) as failed:
        await world.execute(policy)
    assert failed.value.failure == "rules_broken"
    assert sum(count for key, count in world.executions().items() if key[1] == "error") == 1


async def test_an_execution_that_cannot_be_kept_has_failed(world: World) -> None:
    """No 200 without a committed row; the answer is not cached either."""
    world.store.broken = True
    with pytest.raises(ExecutionFailedError) as failed:
        await world.execute(Policy.RULE)
    assert failed.value.failure == "store_unavailable"
    assert not world.cache.kept
    assert world.executions() == {("rule", "error", "acme", INVOICE.id): 1}


async def test_an_unforeseen_error_is_an_execution_too(world: World) -> None:
    """Whatever is raised inside is counted, logged and answered; its text stays inside."""
    world.book.error = ZeroDivisionError("secret detail")
    with pytest.raises(ExecutionFailedError) as failed:
        await world.execute(Policy.RULE)
    assert failed.value.failure == "unexpected"
    assert "secret detail" not in str(failed.value)
    assert sum(world.executions().values()) == 1
