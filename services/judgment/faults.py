"""The faults of judgment: wrappers around its adapters that break them while the switch says so."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from faults import Dice, Fault, Parameter
from services.judgment.domain import (
    CacheUnavailableError,
    Execution,
    Filter,
    LlmFailedError,
    Opinion,
    Reply,
    RuleBookBrokenError,
    Value,
)
from services.judgment.ports import Cache, Llm, RuleBook, Store
from services.judgment.rules import Workflow

Pause = Callable[[float], Awaitable[None]]


def _rate(help_text: str) -> Parameter:
    return Parameter("rate", default=1.0, minimum=0.0, maximum=1.0, unit="share", help=help_text)


FAULTS = (
    Fault(
        "execution_error",
        "Executions end with status error and HTTP 500, whatever their policy and cached or not",
        (_rate("share of executions that fail"),),
    ),
    Fault(
        "llm_error",
        "The model refuses: hybrid falls back to the rules, policy llm fails",
        (_rate("share of calls that are refused"),),
    ),
    Fault(
        "llm_slow",
        "The model takes longer; beyond the service's time-out (4 s) it is given up",
        (Parameter("seconds", 3.0, minimum=0.0, maximum=60.0, unit="s", help="added to each call"),),
    ),
    Fault(
        "llm_garbage",
        "The model's reply breaks off in the middle",
        (_rate("share of each model's replies that are cut off"),),
    ),
    Fault(
        "llm_cost_surge",
        "Every call of a model costs more",
        (Parameter("factor", 1000.0, minimum=1.0, maximum=1e6, unit="times", help="multiplies the cost"),),
    ),
    Fault(
        "cache_off",
        "The cache is unreachable: look-ups are misses, nothing is kept",
        (_rate("share of look-ups, and of what is kept, that fail"),),
    ),
    Fault(
        "database_slow",
        "The database takes longer; beyond the service's time-out (1 s) executions fail with 503",
        (Parameter("seconds", 0.5, minimum=0.0, maximum=60.0, unit="s", help="added to each statement"),),
    ),
)


class FaultyRuleBook:
    """execution_error: the one step that every execution takes, cached or not."""

    def __init__(self, book: RuleBook, dice: Dice) -> None:
        self._book, self._dice = book, dice

    async def workflow(self, workflow_id: str) -> Workflow:
        """As RuleBook.workflow."""
        if self._dice.strikes("execution_error"):
            raise RuleBookBrokenError("the rule book could not be opened (fault execution_error)")
        return await self._book.workflow(workflow_id)


class FaultyLlm:
    """llm_error, llm_slow, llm_garbage and llm_cost_surge."""

    def __init__(self, llm: Llm, dice: Dice, *, pause: Pause = asyncio.sleep) -> None:
        self._llm, self._dice, self._pause = llm, dice, pause

    async def ask(self, model: str, workflow: Workflow, case: Mapping[str, Value]) -> Reply:
        """As Llm.ask."""
        if self._dice.strikes("llm_error"):
            raise LlmFailedError("error")
        if seconds := self._dice.amount("llm_slow", "seconds"):
            await self._pause(seconds)
        reply = await self._llm.ask(model, workflow, case)
        if self._dice.strikes("llm_garbage", of=model):
            reply = replace(reply, text=reply.text[: len(reply.text) // 2])
        if factor := self._dice.amount("llm_cost_surge", "factor"):
            reply = replace(reply, cost_usd=reply.cost_usd * factor)
        return reply


class FaultyCache:
    """cache_off."""

    def __init__(self, cache: Cache, dice: Dice) -> None:
        self._cache, self._dice = cache, dice

    async def get(self, key: str) -> Opinion | None:
        """As Cache.get."""
        self._check("get")
        return await self._cache.get(key)

    async def put(self, key: str, opinion: Opinion) -> None:
        """As Cache.put."""
        self._check("put")
        await self._cache.put(key, opinion)

    def _check(self, operation: str) -> None:
        if self._dice.strikes("cache_off", of=operation):
            raise CacheUnavailableError("switched off (fault cache_off)")


class FaultyStore:
    """database_slow."""

    def __init__(self, store: Store, dice: Dice, *, pause: Pause = asyncio.sleep) -> None:
        self._store, self._dice, self._pause = store, dice, pause

    async def save(self, execution: Execution) -> None:
        """As Store.save."""
        await self._delay()
        await self._store.save(execution)

    async def get(self, execution_id: str) -> Execution | None:
        """As Store.get."""
        await self._delay()
        return await self._store.get(execution_id)

    async def find(self, wanted: Filter) -> Sequence[Execution]:
        """As Store.find."""
        await self._delay()
        return await self._store.find(wanted)

    async def _delay(self) -> None:
        if seconds := self._dice.amount("database_slow", "seconds"):
            await self._pause(seconds)
