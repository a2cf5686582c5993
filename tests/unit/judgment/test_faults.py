"""Each fault breaks its adapter while it is set, with its rate, and leaves it alone otherwise."""

import pytest

from faults import Dice
from services.judgment.catalogue import WORKFLOWS
from services.judgment.domain import (
    CacheUnavailableError,
    Filter,
    LlmFailedError,
    Opinion,
    ReplyUnparsableError,
    RuleBookBrokenError,
    Verdict,
)
from services.judgment.faults import FAULTS, FaultyCache, FaultyLlm, FaultyRuleBook, FaultyStore
from services.judgment.rules import parse_reply
from tests.unit.judgment.fakes import AGREES, FakeBook, FakeCache, FakeLlm, FakeStore, FakeSwitch, Naps

pytestmark = pytest.mark.anyio
WORKFLOW = WORKFLOWS["credit-check"]


def test_every_fault_can_be_set_with_its_defaults() -> None:
    """The declared names are the ones that the wrappers look for."""
    llm = {"llm_error", "llm_slow", "llm_garbage", "llm_cost_surge"}
    assert {fault.name for fault in FAULTS} == llm | {"execution_error", "cache_off", "database_slow"}
    for fault in FAULTS:
        assert fault.checked({}) == {p.name: p.default for p in fault.parameters}


async def test_without_a_fault_nothing_changes() -> None:
    """The wrappers pass everything through."""
    switch, naps = FakeSwitch(), Naps()
    dice = Dice(switch, 7)
    assert await FaultyRuleBook(FakeBook(), dice).workflow(WORKFLOW.id) is WORKFLOW
    reply = await FaultyLlm(FakeLlm(), dice, pause=naps).ask("gpt-4o", WORKFLOW, {})
    assert (reply.text, reply.cost_usd) == (AGREES, 0.01)
    assert await FaultyCache(FakeCache(), dice).get("k") is None
    assert await FaultyStore(FakeStore(), dice, pause=naps).find(Filter()) == []
    assert naps.taken == []


async def test_execution_error_strikes_with_its_rate() -> None:
    """A rate of 0.3 breaks three of any ten in a row, the same ones under the same seed."""

    async def struck(seed: int) -> list[bool]:
        switch = FakeSwitch({"execution_error": {"rate": 0.3}})
        book = FaultyRuleBook(FakeBook(), Dice(switch, seed))
        result = []
        for _ in range(1000):
            try:
                await book.workflow(WORKFLOW.id)
                result.append(False)
            except RuleBookBrokenError:
                result.append(True)
        return result

    first = await struck(7)
    assert first == await struck(7)
    assert all(sum(first[at : at + 10]) == 3 for at in range(990))


async def test_a_full_rate_spares_nobody_and_a_rate_of_zero_everybody() -> None:
    """The ends of the range are exact."""
    switch = FakeSwitch({"llm_error": {"rate": 1.0}})
    llm = FaultyLlm(FakeLlm(), Dice(switch, 7))
    for _ in range(100):
        with pytest.raises(LlmFailedError):
            await llm.ask("gpt-4o", WORKFLOW, {})
    switch.set = {"llm_error": {"rate": 0.0}}
    for _ in range(100):
        await llm.ask("gpt-4o", WORKFLOW, {})


async def test_the_model_can_be_slow_dear_and_unreadable() -> None:
    """The three work together and on the real reply."""
    naps = Naps()
    faults = {"llm_slow": {"seconds": 3.0}, "llm_garbage": {"rate": 1.0}, "llm_cost_surge": {"factor": 100.0}}
    reply = await FaultyLlm(FakeLlm(), Dice(FakeSwitch(faults), 7), pause=naps).ask("gpt-4o", WORKFLOW, {})
    assert naps.taken == [3.0]
    assert reply.cost_usd == pytest.approx(1.0)
    with pytest.raises(ReplyUnparsableError):
        parse_reply(reply.text)


async def test_the_cache_is_off() -> None:
    """Neither reading nor writing works; at a rate of one half, half of each."""
    switch = FakeSwitch({"cache_off": {"rate": 1.0}})
    cache = FaultyCache(FakeCache(), Dice(switch))

    async def refused(times: int) -> tuple[int, int]:
        counts = [0, 0]
        for _ in range(times):
            for number, work in enumerate(
                (cache.get("k"), cache.put("k", Opinion(Verdict.APPROVED, 0.9, "")))
            ):
                try:
                    await work
                except CacheUnavailableError:
                    counts[number] += 1
        return counts[0], counts[1]

    assert await refused(10) == (10, 10)
    switch.set = {"cache_off": {"rate": 0.5}}
    assert await refused(10) == (5, 5)


async def test_garbage_falls_evenly_on_each_model() -> None:
    """Two models that take turns both see their share: the alert looks at each model by itself."""
    llm = FaultyLlm(FakeLlm(), Dice(FakeSwitch({"llm_garbage": {"rate": 0.5}})))
    cut = {"gpt-4o": 0, "claude": 0}
    for _ in range(20):
        for model in cut:
            cut[model] += (await llm.ask(model, WORKFLOW, {})).text != AGREES
    assert cut == {"gpt-4o": 10, "claude": 10}


async def test_the_database_is_slow_in_every_operation() -> None:
    """Reading is delayed like writing."""
    naps = Naps()
    store = FaultyStore(FakeStore(), Dice(FakeSwitch({"database_slow": {"seconds": 0.5}}), 7), pause=naps)
    await store.find(Filter())
    await store.get("x")
    assert naps.taken == [0.5, 0.5]
