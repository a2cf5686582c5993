"""Judgment's ties to the world: the seeded rule book, the simulated language model and the Redis cache."""

import asyncio
import hashlib
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Mapping

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.judgment.catalogue import MODELS, WORKFLOWS
from services.judgment.domain import (
    CacheUnavailableError,
    Opinion,
    Reply,
    ReplyUnparsableError,
    UnknownError,
    Value,
    Verdict,
)
from services.judgment.rules import Workflow, judge_by_rules, parse_reply

GARBAGE_RATE = 0.002  # natural; the alert on parsing failures stands at 0.5%
AGREEMENT = 0.85  # how often the model comes to the rules' verdict
LATENCY_SPREAD = 0.35  # sigma of the log-normal: P95 is 1.8 times the median
LATENCY_LIMITS = (0.15, 2.0)  # seconds; the P95 of the slowest model is then 0.7
INSTRUCTION_TOKENS = 420  # what the instructions and the workflow's description would take
OUTPUT_TOKENS = (60, 220)
CACHE_PREFIX = "judgment:v1:"  # a new version forgets what an older one wrote


class SeededRuleBook:
    """The rules that come with the service."""

    async def workflow(self, workflow_id: str) -> Workflow:
        """The workflow; raises UnknownError."""
        try:
            return WORKFLOWS[workflow_id]
        except KeyError:
            raise UnknownError(f"no workflow {workflow_id!r}") from None


class SimulatedLlm:
    """Behaves like a paid model behind HTTP: slow, priced, mostly agreeing, seldom unreadable.

    What it answers depends on the seed, the question and how many questions this process asked
    before, and on nothing else.
    """

    def __init__(self, seed: int, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._seed = seed
        self._asked = itertools.count()
        self._pause = pause

    async def ask(self, model: str, workflow: Workflow, case: Mapping[str, Value]) -> Reply:
        """The model's reply after its latency."""
        question = json.dumps([workflow.id, dict(case)], sort_keys=True)
        chance = self._chance(model, question)
        price = MODELS[model]
        latency = price.median_seconds * chance.lognormvariate(0.0, LATENCY_SPREAD)
        output_tokens = chance.randint(*OUTPUT_TOKENS)
        cost = price.cost_usd(INSTRUCTION_TOKENS + len(question) // 4, output_tokens)
        text = self._answer(chance, workflow, case)
        await self._pause(min(max(latency, LATENCY_LIMITS[0]), LATENCY_LIMITS[1]))
        return Reply(text, cost)

    def _chance(self, model: str, question: str) -> random.Random:
        key = f"{self._seed}:{next(self._asked)}:{model}:{question}"
        return random.Random(hashlib.sha256(key.encode()).digest())

    def _answer(self, chance: random.Random, workflow: Workflow, case: Mapping[str, Value]) -> str:
        leaning = judge_by_rules(workflow, case).verdict
        if chance.random() > AGREEMENT:
            leaning = chance.choice([verdict for verdict in Verdict if verdict is not leaning])
        confidence = round(0.55 + 0.43 * chance.betavariate(5, 2), 3)
        answer = json.dumps(
            {"verdict": leaning, "confidence": confidence, "explanation": f"{workflow.title} {leaning}"}
        )
        if chance.random() < GARBAGE_RATE:
            return f"Sure! Here is my assessment:\n{answer[: len(answer) // 2]}"
        return answer


class RedisCache:
    """Opinions in Redis, each for `ttl_seconds`."""

    def __init__(self, client: Redis, *, ttl_seconds: int) -> None:
        self._client = client
        self._ttl = ttl_seconds

    async def get(self, key: str) -> Opinion | None:
        """The kept opinion, or None; raises CacheUnavailableError, also for what cannot be read."""
        try:
            found = await self._client.get(CACHE_PREFIX + key)
            return None if found is None else parse_reply(found if isinstance(found, str) else found.decode())
        except (RedisError, OSError, TimeoutError) as error:
            raise CacheUnavailableError(type(error).__name__) from error
        except (ReplyUnparsableError, UnicodeDecodeError) as error:
            raise CacheUnavailableError("what is kept cannot be read") from error

    async def put(self, key: str, opinion: Opinion) -> None:
        """Keep an opinion; raises CacheUnavailableError."""
        kept = json.dumps(
            {
                "verdict": opinion.verdict,
                "confidence": opinion.confidence,
                "explanation": opinion.explanation[:1000],
            }
        )
        try:
            await self._client.set(CACHE_PREFIX + key, kept, ex=self._ttl)
        except (RedisError, OSError, TimeoutError) as error:
            raise CacheUnavailableError(type(error).__name__) from error


def redis_client(url: str, *, timeout_seconds: float) -> Redis:
    """A client that gives up after `timeout_seconds` and never retries: a miss is cheaper than waiting."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
    )
