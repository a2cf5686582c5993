"""fds over HTTP, behind the FraudService of ports.py."""

import asyncio
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import httpx

from services.admin.domain import DECISIONS, FACTS, Case, Decision, Delivery, Verdict
from services.admin.ports import FdsUnavailableError

LIMIT_SECONDS: Final = 3.0
LARGEST_ANSWER_BYTES: Final = 4 * 1024 * 1024  # two hundred evaluations are some 400 kB
IDLE_SECONDS: Final = 4.0  # below uvicorn's 5 s, so that no request meets a closing connection

_DELIVERIES: Final[Mapping[int, Delivery]] = {200: "delivered", 404: "unknown", 409: "conflict"}
_TRANSACTION_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}")


def connect_fds(url: str) -> httpx.AsyncClient:
    """A client that keeps its connections and reads neither proxies nor credentials of the environment."""
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=4, keepalive_expiry=IDLE_SECONDS)
    return httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS, limits=limits, trust_env=False)


class FraudClient:
    """Asks and tells fds; whatever goes wrong becomes FdsUnavailableError."""

    def __init__(self, client: httpx.AsyncClient, *, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._client, self._limit = client, limit_seconds

    async def cases(self, decision: Decision, *, limit: int, since: datetime | None = None) -> Sequence[Case]:
        """One page. An evaluation that makes no sense is left out; a page that makes none is an error."""
        query: dict[str, str | int] = {"decision": decision, "unlabelled": "true", "limit": limit}
        if since is not None:
            query["since"] = since.isoformat()
        status, content = await self._exchange("GET", "/api/v1/fds/evaluations", params=query)
        if status != 200:
            raise FdsUnavailableError(f"HTTP {status}")
        try:
            listed = json.loads(content)["evaluations"]
            return [case for case in map(_case, listed) if case is not None]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FdsUnavailableError(f"an answer without evaluations ({type(error).__name__})") from error

    async def label(self, transaction_id: str, verdict: Verdict) -> Delivery:
        """Tell; 4xx but for 429 is final, everything else is tried again later."""
        body = {"transaction_id": transaction_id, "label": verdict}
        status, _ = await self._exchange("POST", "/api/v1/fds/feedback", json=body)
        if status in _DELIVERIES:
            return _DELIVERIES[status]
        if 400 <= status < 500 and status != 429:
            return "refused"
        raise FdsUnavailableError(f"HTTP {status}")

    async def _exchange(self, method: str, path: str, **arguments: Any) -> tuple[int, bytes]:
        try:
            async with (
                asyncio.timeout(self._limit),
                self._client.stream(method, path, **arguments) as response,
            ):
                content = b""
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > LARGEST_ANSWER_BYTES:
                        raise FdsUnavailableError(f"an answer of more than {LARGEST_ANSWER_BYTES} bytes")
                return response.status_code, content
        except TimeoutError as error:
            raise FdsUnavailableError(f"no answer within {self._limit:g} s") from error
        except httpx.HTTPError as error:
            raise FdsUnavailableError(f"{type(error).__name__}: {error}"[:200]) from error


def _case(evaluation: Any) -> Case | None:
    """A kept evaluation as a case; None when it is none."""
    try:
        decision: Decision = next(known for known in DECISIONS if known == evaluation["decision"])
        moment = datetime.fromisoformat(evaluation["created_at"])
        transaction_id, score = evaluation["transaction_id"], float(evaluation["risk_score"])
        if moment.tzinfo is None or not _TRANSACTION_ID.fullmatch(transaction_id) or not 0 <= score <= 100:
            return None
        request = evaluation["request"]
        return Case(
            transaction_id=transaction_id,
            kind="held" if decision == "hold" else "spot_check",
            decision=decision,
            risk_score=score,
            factors=tuple(factor for factor in evaluation["factors"][:32] if _is_plain(factor)),
            facts={name: request[name] for name in FACTS if _is_plain(request.get(name))},
            evaluated_at=moment,
        )
    except (KeyError, TypeError, ValueError, StopIteration, AttributeError):
        return None


def _is_plain(value: object) -> bool:
    """Whether JSON in a database can hold it; one evaluation that it cannot must not stop all others."""
    if isinstance(value, str):
        return len(value) <= 64 and value.isprintable()
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1e15
