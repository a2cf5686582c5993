"""The Redis cache and the hashing of passwords, behind the Protocols of ports.py."""

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.ecommerce.ports import BusyError, CacheUnavailableError

REDIS_TIMEOUT_SECONDS: Final = 0.08
REST_SECONDS: Final = 2.0
"""How long a Redis that failed is not asked again, so that a hanging one slows one read, not all."""
PREFIX: Final = "shop:v1:"

SCRYPT_LOG2_COST: Final = 14
"""16 MiB and some 40 ms a password: enough against guessing, and a log-in stays below 200 ms."""
HASHING_THREADS: Final = 2
MOST_WAITING: Final = 64
"""Three seconds' worth of passwords; who comes then is told to come again."""


def connect_redis(url: str) -> "Redis":
    """A client that gives up quickly and never retries by itself."""
    return Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=64,
    )


class RedisCache:
    """See ports.Cache. Entries live for `ttl_seconds`, so that a changed price is seen after that time."""

    def __init__(
        self, redis: Redis, *, ttl_seconds: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis, self._ttl, self._clock = redis, ttl_seconds, clock
        self._rest_until = float("-inf")

    async def get(self, key: str) -> bytes | None:
        """See ports.Cache; raises at once while resting."""
        self._rested()
        try:
            found = await self._redis.get(PREFIX + key)
        except (RedisError, OSError, TimeoutError) as error:
            raise self._failed(error) from error
        return found if found is None or isinstance(found, bytes) else str(found).encode()

    async def put(self, items: Mapping[str, bytes]) -> None:
        """See ports.Cache; one round trip."""
        self._rested()
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for key, body in items.items():
                    pipe.set(PREFIX + key, body, ex=self._ttl)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise self._failed(error) from error

    def _rested(self) -> None:
        if self._clock() < self._rest_until:
            raise CacheUnavailableError("Redis failed a moment ago and is not asked")

    def _failed(self, error: Exception) -> CacheUnavailableError:
        self._rest_until = self._clock() + REST_SECONDS
        return CacheUnavailableError(type(error).__name__)


class ScryptPasswords:
    """See ports.Passwords. hashlib lets go of the interpreter's lock: requests go on meanwhile."""

    def __init__(self, *, log2_cost: int = SCRYPT_LOG2_COST) -> None:
        self._cost = log2_cost
        self._pool = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobody = f"scrypt${log2_cost}$8$1${_text(bytes(16))}${_text(bytes(32))}"

    async def hash(self, password: str) -> str:
        """See ports.Passwords."""
        salt = secrets.token_bytes(16)
        key = await self._scrypt(password, salt, self._cost, 8, 1)
        return f"scrypt${self._cost}$8$1${_text(salt)}${_text(key)}"

    async def fits(self, password: str, hashed: str | None) -> bool:
        """See ports.Passwords; the parameters are those that the hash was made with."""
        _, cost, block, parallel, salt, wanted = (hashed or self._nobody).split("$")
        key = await self._scrypt(password, base64.b64decode(salt), int(cost), int(block), int(parallel))
        return hmac.compare_digest(key, base64.b64decode(wanted)) and hashed is not None

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _scrypt(self, password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
        if self._waiting >= MOST_WAITING:
            raise BusyError(f"{self._waiting} passwords are waiting")

        def work() -> bytes:
            return hashlib.scrypt(
                password.encode(), salt=salt, n=2**cost, r=block, p=parallel, maxmem=2**27, dklen=32
            )

        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
