"""The model server over HTTP, and the own copy of the model that stands in for it."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

import httpx

from services.fds import model
from services.fds.domain import ML_SERVICE, Prediction, Transaction
from services.fds.ports import ModelUnavailableError, Scorer

LIMIT_SECONDS: Final = 0.05
"""Half the budget of an evaluation: with a model server that hangs, the answer is still well inside it."""
MISSES: Final = 3
"""So many failures in a row are no accident; one slow answer alone costs that evaluation only."""
REST_SECONDS: Final = 2.0
"""How long a server that failed is left alone; then one evaluation tries it again, and only that one."""
MEETING_SECONDS: Final = 1.0
LARGEST_ANSWER_BYTES: Final = 4_096
IDLE_SECONDS: Final = 4.0
"""Below the 5 s after which uvicorn closes an idle connection, so that no request meets a closing one."""

_PATH: Final = "/api/v1/ml/score"
_HEADERS: Final = {"content-type": "application/json", "accept-encoding": "identity"}
_VERSION: Final = re.compile(r"[A-Za-z0-9._:\-]{1,64}")


class Witness(Protocol):
    """Who is told about the model server: signals.py in the service."""

    def model_missed(self, error: BaseException) -> None:
        """The own copy decided."""

    def model_back(self) -> None:
        """The server answers again."""


def connect_model(url: str) -> httpx.AsyncClient:
    """A client that keeps its connections and reads neither proxies nor credentials of the environment."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=IDLE_SECONDS)
    return httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS, limits=limits, trust_env=False)


async def meet_model(client: httpx.AsyncClient) -> None:
    """Open a first connection, if there is a server, before any payment waits for one.

    The client's first request loads a good deal of code, which alone takes longer than an answer may.
    """
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(MEETING_SECONDS):
            await client.get("/health/live", timeout=MEETING_SECONDS)


class ModelServer:
    """A Scorer that asks the model server. Raises ModelUnavailableError for whatever goes wrong."""

    version: Final = "unknown"

    def __init__(self, client: httpx.AsyncClient, *, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._client, self._limit = client, limit_seconds

    async def predict(self, transaction: Transaction) -> Prediction:
        """Ask; the whole of it, connecting included, takes no longer than the limit."""
        values = dict(zip(model.FEATURES, model.features(transaction), strict=True))
        body = json.dumps({"transaction_id": transaction.transaction_id, "features": values})
        try:
            async with asyncio.timeout(self._limit):
                content = await self._exchange(body.encode())
        except TimeoutError as error:
            raise ModelUnavailableError(f"no answer within {self._limit * 1000:g} ms") from error
        except httpx.HTTPError as error:
            raise ModelUnavailableError(f"{type(error).__name__}: {error}"[:200]) from error
        return _prediction(content)

    async def _exchange(self, body: bytes) -> bytes:
        async with self._client.stream("POST", _PATH, content=body, headers=_HEADERS) as response:
            if response.status_code != 200:
                raise ModelUnavailableError(f"HTTP {response.status_code}")
            content = b""
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > LARGEST_ANSWER_BYTES:
                    raise ModelUnavailableError(f"an answer of more than {LARGEST_ANSWER_BYTES} bytes")
        return content


def _prediction(content: bytes) -> Prediction:
    """The score in an answer; nothing that a broken server says gets further than this."""
    try:
        answer = json.loads(content)
        score, version = answer["score"], answer["model_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelUnavailableError(f"an answer without a score ({type(error).__name__})") from error
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise ModelUnavailableError("a score that is no number between 0 and 1")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ModelUnavailableError("a model version that is none")
    return Prediction(float(score), version)


class BackedScorer:
    """Asks `served`; where that fails, `own` decides and the prediction says that it did.

    After MISSES failures in a row `served` rests: one evaluation in REST_SECONDS tries it, the others do not
    wait for it. So a dead server costs nothing and a hanging one half a budget every two seconds.
    """

    def __init__(
        self, served: Scorer, own: Scorer, witness: Witness, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._served, self._own, self._witness, self._clock = served, own, witness, clock
        self._misses = 0
        self._next_try = float("-inf")
        self._cause = ""

    @property
    def version(self) -> str:
        """The own copy's."""
        return self._own.version

    async def predict(self, transaction: Transaction) -> Prediction:
        """The server's prediction, or the own copy's; never raises on account of the server."""
        try:
            prediction = await self._asked(transaction)
        except ModelUnavailableError as error:
            self._witness.model_missed(error)
            own = await self._own.predict(transaction)
            return replace(own, degraded=(*own.degraded, ML_SERVICE))
        if self._misses:
            self._misses = 0
            self._witness.model_back()
        return prediction

    async def _asked(self, transaction: Transaction) -> Prediction:
        if self._misses >= MISSES:
            if self._clock() < self._next_try:
                raise ModelUnavailableError(f"not asked, because it failed: {self._cause}")
            self._rest()  # before the answer is known: this evaluation alone tries
        try:
            return await self._served.predict(transaction)
        except ModelUnavailableError as error:
            self._misses += 1
            self._cause = str(error)
            if self._misses >= MISSES:
                self._rest()
            raise

    def _rest(self) -> None:
        self._next_try = self._clock() + REST_SECONDS
