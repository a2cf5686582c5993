"""fds over HTTP, under a time limit, and left alone for a moment when it fails again and again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

import httpx
import orjson

from services.ecommerce.domain import DECISIONS, RISK_LEVELS, Label, Verdict
from services.ecommerce.ports import Fraud, FraudRefusedError, FraudUnavailableError

MISSES: Final = 3
"""So many failures in a row are no accident; one slow answer alone costs that payment only."""
REST_SECONDS: Final = 2.0
"""How long fds is left alone then; one payment tries it again, and only that one."""
LARGEST_ANSWER_BYTES: Final = 65_536
IDLE_SECONDS: Final = 4.0
"""Below the 5 s after which uvicorn closes an idle connection, so that no request meets a closing one."""
_EVALUATE: Final = "/api/v1/fds/evaluate"
_EVALUATIONS: Final = "/api/v1/fds/evaluations/"
_HEADERS: Final = {"content-type": "application/json", "accept-encoding": "identity"}

T = TypeVar("T")


class Witness(Protocol):
    """Who is told that fds came back: signals.py in the service."""

    def fds_back(self) -> None:
        """It answers again, for the first time after it did not."""


def connect_fds(url: str, *, limit_seconds: float) -> httpx.AsyncClient:
    """A client that keeps its connections and reads neither proxies nor credentials of the environment."""
    limits = httpx.Limits(max_connections=128, max_keepalive_connections=64, keepalive_expiry=IDLE_SECONDS)
    return httpx.AsyncClient(
        base_url=url, timeout=limit_seconds, limits=limits, headers=_HEADERS, trust_env=False
    )


class FraudService:
    """See ports.Fraud; the limit of the whole exchange is GuardedFraud's."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def evaluate(self, evaluation: Mapping[str, object]) -> Verdict:
        """See ports.Fraud."""
        answer = await self._asked("POST", _EVALUATE, orjson.dumps(evaluation))
        decision = next((known for known in DECISIONS if known == answer.get("decision")), None)
        level = next((known for known in RISK_LEVELS if known == answer.get("risk_level")), None)
        score = answer.get("risk_score")
        if decision is None or level is None or isinstance(score, bool) or not isinstance(score, int | float):
            raise FraudUnavailableError("an answer without a verdict")
        return Verdict(decision, level, float(score))

    async def label(self, transaction_id: str) -> Label | None:
        """See ports.Fraud."""
        try:
            found = (await self._asked("GET", _EVALUATIONS + transaction_id, None)).get("label")
        except FraudRefusedError:  # it was never evaluated there
            return None
        return found if found in ("fraud", "legitimate") else None

    async def _asked(self, method: str, path: str, body: bytes | None) -> Mapping[str, Any]:
        try:
            async with self._client.stream(method, path, content=body) as response:
                if 400 <= response.status_code < 500:
                    raise FraudRefusedError(f"HTTP {response.status_code}")
                if response.status_code != 200:
                    raise FraudUnavailableError(f"HTTP {response.status_code}")
                content = b""
                async for chunk in response.aiter_raw():
                    content += chunk
                    if len(content) > LARGEST_ANSWER_BYTES:
                        raise FraudUnavailableError(f"more than {LARGEST_ANSWER_BYTES} bytes")
            answer = orjson.loads(content)
        except httpx.HTTPError as error:
            raise FraudUnavailableError(type(error).__name__) from error
        except orjson.JSONDecodeError as error:
            raise FraudUnavailableError("an answer that is no JSON") from error
        if not isinstance(answer, dict):
            raise FraudUnavailableError("an answer that is no object")
        return answer


class GuardedFraud:
    """Gives up on an inner Fraud after `limit_seconds`, and after MISSES failures rests from asking it.

    So a dead fds costs a purchase nothing, and a hanging one a time limit every two seconds.
    """

    def __init__(
        self,
        inner: Fraud,
        witness: Witness,
        *,
        limit_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner, self._witness, self._limit, self._clock = inner, witness, limit_seconds, clock
        self._misses = 0
        self._next_try = float("-inf")

    async def evaluate(self, evaluation: Mapping[str, object]) -> Verdict:
        """As the inner one."""
        return await self._guarded(lambda: self._inner.evaluate(evaluation))

    async def label(self, transaction_id: str) -> Label | None:
        """As the inner one."""
        return await self._guarded(lambda: self._inner.label(transaction_id))

    async def _guarded(self, call: Callable[[], Awaitable[T]]) -> T:
        if self._misses >= MISSES:
            if self._clock() < self._next_try:
                raise FraudUnavailableError("not asked, because it failed a moment ago")
            self._next_try = self._clock() + REST_SECONDS  # before the answer is known: one alone tries
        try:
            async with asyncio.timeout(self._limit):
                found = await call()
        except TimeoutError as error:
            self._missed()
            raise FraudUnavailableError(f"no answer within {self._limit * 1000:g} ms") from error
        except FraudRefusedError:
            self._answered()
            raise
        except FraudUnavailableError:
            self._missed()
            raise
        self._answered()
        return found

    def _answered(self) -> None:
        if self._misses:
            self._misses = 0
            self._witness.fds_back()

    def _missed(self) -> None:
        self._misses += 1
        if self._misses >= MISSES:
            self._next_try = self._clock() + REST_SECONDS
