"""The breakages that a drill can turn on, wrapped around adapters and around requests."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeVar

from faults import Active, Dice, Fault, Parameter
from services.ecommerce.database import POOL_SECONDS, Database, Work
from services.ecommerce.domain import Label, Verdict
from services.ecommerce.ports import Cache, CacheUnavailableError, Fraud, StoreUnavailableError

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[object]]
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

FAULTS: Final = (
    Fault(
        "error_rate",
        "Requests of the API fail with HTTP 500, evenly spread",
        (Parameter("rate", 0.5, 0, 1, "share", "share of requests that fail"),),
    ),
    Fault(
        "api_slow",
        "Requests of the API take longer, evenly spread",
        (
            Parameter("milliseconds", 400, 1, 10_000, "ms", "added before the answer"),
            Parameter("rate", 1.0, 0, 1, "share", "share of requests that are slow"),
        ),
    ),
    Fault(
        "database_slow",
        "Every call to PostgreSQL takes longer; from 0.8 s on answers are 503",
        (Parameter("seconds", 1.0, 0, 30, "s", "added to each call"),),
    ),
    Fault("pool_exhausted", "No connection to PostgreSQL becomes free: what needs one ends in 503"),
    Fault("cache_off", "Redis refuses: every catalogue read is a miss, nothing is kept"),
    Fault(
        "fds_slow",
        "fds takes longer; beyond the time limit (0.4 s) payments are decided by policy",
        (Parameter("seconds", 1.0, 0, 30, "s", "added to each call"),),
    ),
)


class InjectedFailureError(RuntimeError):
    """What fault error_rate raises: an exception that nobody handles."""


class FaultyRequests:
    """ASGI middleware for error_rate and api_slow; health, metrics and the switch itself are not touched."""

    def __init__(self, app: App, *, dice: Dice, sleep: Sleep = asyncio.sleep) -> None:
        self.app, self._dice, self._sleep = app, dice, sleep

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Delay, fail or pass on."""
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            if self._dice.strikes("api_slow"):
                await self._sleep((self._dice.amount("api_slow", "milliseconds") or 0) / 1000)
            if self._dice.strikes("error_rate"):
                raise InjectedFailureError("fault error_rate is set")
        await self.app(scope, receive, send)


class FaultyDatabase:
    """A database that can be slow or without a free connection; stands inside BoundedDatabase."""

    def __init__(self, inner: Database, switch: Active, *, sleep: Sleep = asyncio.sleep) -> None:
        self._inner, self._switch, self._sleep = inner, switch, sleep

    async def read(self, work: Work[T]) -> T:
        """As the inner database, after the faults."""
        await self._suffer()
        return await self._inner.read(work)

    async def write(self, work: Work[T]) -> T:
        """As the inner database, after the faults."""
        await self._suffer()
        return await self._inner.write(work)

    async def _suffer(self) -> None:
        if self._switch.active("pool_exhausted") is not None:
            await self._sleep(POOL_SECONDS)
            raise StoreUnavailableError("fault pool_exhausted is set", trouble="pool")
        if (found := self._switch.active("database_slow")) is not None:
            await self._sleep(float(found["seconds"]))


class FaultyCache:
    """A cache that can be off."""

    def __init__(self, inner: Cache, switch: Active) -> None:
        self._inner, self._switch = inner, switch

    async def get(self, key: str) -> bytes | None:
        """As the inner cache, unless the fault is set."""
        self._check()
        return await self._inner.get(key)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """As the inner cache, unless the fault is set."""
        self._check()
        await self._inner.put(items)

    def _check(self) -> None:
        if self._switch.active("cache_off") is not None:
            raise CacheUnavailableError("fault cache_off is set")


class FaultyFraud:
    """An fds that can be slow; stands inside GuardedFraud."""

    def __init__(self, inner: Fraud, switch: Active, *, sleep: Sleep = asyncio.sleep) -> None:
        self._inner, self._switch, self._sleep = inner, switch, sleep

    async def evaluate(self, evaluation: Mapping[str, object]) -> Verdict:
        """As the inner one, after the fault."""
        await self._slow()
        return await self._inner.evaluate(evaluation)

    async def label(self, transaction_id: str) -> Label | None:
        """As the inner one, after the fault."""
        await self._slow()
        return await self._inner.label(transaction_id)

    async def _slow(self) -> None:
        if (found := self._switch.active("fds_slow")) is not None:
            await self._sleep(float(found["seconds"]))
