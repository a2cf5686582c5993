"""Redis counters, the cached threat feed and the shipped model, behind the Protocols of ports.py."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from fraudmodel.trees import SHIPPED
from services.fds import model
from services.fds.domain import Indicator, IndicatorKind, Prediction, Transaction, Velocity
from services.fds.ports import ThreatFeed, VelocityUnavailableError

Sleep = Callable[[float], Awaitable[object]]

REDIS_TIMEOUT_SECONDS: Final = 0.08
REST_SECONDS: Final = 2.0
"""How long a Redis that failed is not asked again, so that a hanging one slows one evaluation, not all."""
FEED_CACHE_SECONDS: Final = 60.0
FEED_CACHE_ENTRIES: Final = 20_000


def connect_redis(url: str) -> "Redis":
    """A client that gives up quickly and never retries by itself."""
    return Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=64,
    )


class RedisVelocity:
    """Sliding counters of two buckets each: this one, and the last one by its share still in the window.

    That is exact for an even rate and takes a few bytes a key, however busy an address is. Ids are hashed,
    so that Redis holds no personal data. `wall` gives seconds since 1970.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis, self._wall, self._clock = redis, wall, clock
        self._rest_until = float("-inf")

    async def count(self, transaction: Transaction) -> Velocity:
        """Count the transaction; one round trip. Raises VelocityUnavailableError, at once while resting."""
        if self._clock() < self._rest_until:
            raise VelocityUnavailableError("Redis failed a moment ago and is not asked")
        try:
            values = await self._exchange(transaction)
        except (RedisError, OSError, TimeoutError) as error:
            self._rest_until = self._clock() + REST_SECONDS
            raise VelocityUnavailableError(f"{type(error).__name__}: {error}"[:200]) from error
        return Velocity(*values)

    async def _exchange(self, transaction: Transaction) -> list[float]:
        now = self._wall()
        subjects = (
            ("user", transaction.user_id, 60, 1),
            ("card", transaction.card_id, 60, 1),
            ("ip", transaction.ip, 60, 1),
            ("krw", transaction.user_id, 3600, round(transaction.amount)),
        )
        async with self._redis.pipeline(transaction=False) as pipe:
            for name, value, window, step in subjects:
                if value is not None:
                    key = f"fds:{name}:{hashlib.sha256(value.encode()).hexdigest()[:24]}"
                    bucket = int(now // window)
                    pipe.incrby(f"{key}:{bucket}", step)
                    pipe.expire(f"{key}:{bucket}", 2 * window + 5)
                    pipe.get(f"{key}:{bucket - 1}")
            answers = iter(await pipe.execute())
        counted = []
        for _, value, window, _ in subjects:
            if value is None:
                counted.append(0.0)
                continue
            current, _, previous = next(answers), next(answers), next(answers)
            counted.append(float(current) + float(previous or 0) * (1 - (now % window) / window))
        return counted


class ShippedModel:
    """The model in model.json, evaluated in this process."""

    def __init__(self, path: Path = SHIPPED) -> None:
        self._model = model.load(path.read_text(encoding="utf-8"))

    @property
    def version(self) -> str:
        """The digest that train.py gave it."""
        return self._model.version

    async def predict(self, transaction: Transaction) -> Prediction:
        """Some 100 microseconds of work, so it is done in place."""
        return Prediction(self._model.probability(model.features(transaction)), self._model.version)


class DistantFeed:
    """Adds the time that a distant threat feed takes: 5 to 20 ms, the same for the same question."""

    def __init__(self, inner: ThreatFeed, *, seed: int, sleep: Sleep = asyncio.sleep) -> None:
        self._inner, self._seed, self._sleep = inner, seed, sleep

    async def matches(self, seen: Mapping[IndicatorKind, str]) -> Sequence[Indicator]:
        """As the inner feed, later."""
        digest = hashlib.sha256(f"{self._seed}:{sorted(seen.items())}".encode()).digest()
        await self._sleep(0.005 + 0.015 * digest[0] / 255)
        return await self._inner.matches(seen)


class CachedFeed:
    """Remembers each answer, a match or none, for a minute; at most FEED_CACHE_ENTRIES of them."""

    def __init__(self, inner: ThreatFeed, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner, self._clock = inner, clock
        self._known: OrderedDict[tuple[IndicatorKind, str], tuple[float, Indicator | None]] = OrderedDict()

    async def matches(self, seen: Mapping[IndicatorKind, str]) -> Sequence[Indicator]:
        """Ask the inner feed only for what is not remembered."""
        now = self._clock()
        found: list[Indicator] = []
        missing: dict[IndicatorKind, str] = {}
        for kind, value in seen.items():
            entry = self._known.get((kind, value))
            if entry is None or entry[0] <= now:
                missing[kind] = value
            elif entry[1] is not None:
                found.append(entry[1])
        if missing:
            fresh = {indicator.kind: indicator for indicator in await self._inner.matches(missing)}
            for kind, value in missing.items():
                self._known[kind, value] = (now + FEED_CACHE_SECONDS, fresh.get(kind))
                self._known.move_to_end((kind, value))
            while len(self._known) > FEED_CACHE_ENTRIES:
                self._known.popitem(last=False)
            found.extend(fresh.values())
        return found
