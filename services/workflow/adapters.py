"""Workflow's peers: judgment over HTTP, and partners that are simulated inside this process."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable

import httpx

from services.workflow.domain import Case, PeerFailedError
from services.workflow.graph import Call, Judge
from services.workflow.ports import Ledger, Task

CONNECT_SECONDS = 1.0
CONNECTIONS = 64
VERDICTS = frozenset(("approved", "review", "rejected"))
TRY_AGAIN = frozenset((408, 425, 429))  # client errors that say "later", not "never"

FAILURE_RATE = 0.01  # natural; with three attempts one call in a million fails for good
MEDIAN_SECONDS = 0.06
LATENCY_SPREAD = 0.5  # sigma of the log-normal: P95 is 2.3 times the median
LONGEST_SECONDS = 1.0


def judgment_client(url: str, *, timeout_seconds: float) -> httpx.AsyncClient:
    """A client for judgment alone: no redirects, no proxy of the environment, connections kept."""
    return httpx.AsyncClient(
        base_url=url,
        timeout=httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds)),
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        trust_env=False,
    )


class HttpJudgment:
    """Judge nodes: POST to judgment, which caches by the question, so that a repetition is cheap."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def perform(self, task: Task) -> Case:
        """As Peer.perform: verdict, confidence, method and execution_id."""
        step = task.node.step
        assert isinstance(step, Judge)
        body = {
            "tenant_id": task.instance.tenant_id,
            "workflow_id": step.workflow_id,
            "policy": step.policy,
            "input": {name: task.instance.case[name] for name in step.fields},
        }
        try:
            answer = await self._client.post(
                "/api/v1/judgment/execute", json=body, headers={"Idempotency-Key": task.key}
            )
        except (httpx.HTTPError, OSError) as error:
            raise PeerFailedError(f"judgment: {type(error).__name__}") from error
        if answer.is_success:
            return _verdict(answer)
        reason = f"judgment answered {answer.status_code}"
        if answer.is_server_error or answer.status_code in TRY_AGAIN:
            raise PeerFailedError(reason)
        raise PeerFailedError(reason, retry=False, healthy=True)


def _verdict(answer: httpx.Response) -> Case:
    """Only what is known and bounded is taken: it goes into a database and into conditions."""
    try:
        said = answer.json()
        verdict, confidence = said["result"]["status"], float(said["confidence"])
        method, execution = str(said["method_used"]), str(said["execution_id"])
    except (ValueError, TypeError, KeyError) as error:
        raise PeerFailedError("judgment's answer cannot be read") from error
    if verdict not in VERDICTS or not 0.0 <= confidence <= 1.0:
        raise PeerFailedError("judgment's answer is no verdict")
    plain = {"method": method, "execution_id": execution}
    kept = {
        name: text
        for name, text in plain.items()
        if len(text) <= 64 and text.isascii() and text.isprintable()
    }
    return {"verdict": verdict, "confidence": confidence, **kept}


class SimulatedPartners:
    """Call nodes: partners with latency and failures, that keep books by key.

    What happens depends on the seed, the key and the number of the attempt, and on nothing else. Half of the
    failures come after the work was done: whoever tries again without the key would have it done twice.
    """

    def __init__(
        self, seed: int, ledger: Ledger, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._seed, self._ledger, self._pause = seed, ledger, pause

    async def perform(self, task: Task) -> Case:
        """As Peer.perform: the partner's reference."""
        step = task.node.step
        assert isinstance(step, Call)
        chance = self._chance(f"{task.key}:{task.attempt}")
        latency = MEDIAN_SECONDS * chance.lognormvariate(0.0, LATENCY_SPREAD)
        fate = chance.random()
        await self._pause(min(latency, LONGEST_SECONDS))
        if fate < FAILURE_RATE / 2:
            raise PeerFailedError(f"{step.partner} was not there")
        reference = f"{step.partner[:3].upper()}-{hashlib.sha256(task.key.encode()).hexdigest()[:10]}"
        known = await self._ledger.enter(
            task.key, partner=step.partner, operation=step.operation, reference=reference
        )
        if fate < FAILURE_RATE:
            raise PeerFailedError(f"{step.partner}'s answer was lost")
        return {"reference": known}

    def _chance(self, occasion: str) -> random.Random:
        return random.Random(hashlib.sha256(f"{self._seed}:{occasion}".encode()).digest())
