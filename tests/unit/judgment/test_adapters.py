"""The simulated model is repeatable and lifelike; the cache works on a real Redis and fails in time."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from services.judgment.adapters import CACHE_PREFIX, RedisCache, SeededRuleBook, SimulatedLlm, redis_client
from services.judgment.catalogue import MODELS, WORKFLOWS
from services.judgment.domain import (
    CacheUnavailableError,
    Opinion,
    Reply,
    ReplyUnparsableError,
    UnknownError,
    Verdict,
)
from services.judgment.rules import judge_by_rules, parse_reply

pytestmark = pytest.mark.anyio
WORKFLOW = WORKFLOWS["credit-check"]
CASE = {"score": 700.0, "employment": "permanent"}
OPINION = Opinion(Verdict.REVIEW, 0.4, "because of ü")


class Naps:
    """Counts what the model would have slept, in seconds."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


async def replies(seed: int, number: int, model: str = "gpt-4o") -> tuple[list[Reply], list[float]]:
    """The first replies of a new model and their latencies."""
    naps = Naps()
    llm = SimulatedLlm(seed, pause=naps)
    return [await llm.ask(model, WORKFLOW, CASE) for _ in range(number)], naps.taken


async def test_the_same_seed_gives_the_same_replies() -> None:
    """Latency, cost and text repeat under one seed and differ under another."""
    assert await replies(7, 20) == await replies(7, 20)
    assert await replies(7, 20) != await replies(8, 20)


@pytest.mark.parametrize("model", sorted(MODELS))
async def test_latencies_are_mostly_between_150_and_900_ms(model: str) -> None:
    """P95 stays far below the alert's 2.5 s, and no call reaches the time-out."""
    _, latencies = await replies(7, 2000, model)
    assert min(latencies) >= 0.15
    assert max(latencies) <= 2.0
    assert statistics.quantiles(latencies, n=20)[-1] < 0.9


async def test_few_replies_cannot_be_read_and_most_agree_with_the_rules() -> None:
    """About 0.2% are broken off, and about 85% come to the rules' verdict."""
    given, _ = await replies(7, 5000)
    opinions, broken = [], 0
    for reply in given:
        try:
            opinions.append(parse_reply(reply.text))
        except ReplyUnparsableError:
            broken += 1
    assert 1 <= broken <= 25
    ruled = judge_by_rules(WORKFLOW, CASE).verdict
    assert 0.8 < sum(opinion.verdict is ruled for opinion in opinions) / len(opinions) < 0.9


async def test_a_call_costs_a_fraction_of_a_cent() -> None:
    """The cost follows the model's price."""
    dear, _ = await replies(7, 50, "claude-sonnet")
    cheap, _ = await replies(7, 50, "qwen-72b")
    assert 0.001 < min(r.cost_usd for r in dear) < max(r.cost_usd for r in dear) < 0.01
    assert max(r.cost_usd for r in cheap) < min(r.cost_usd for r in dear)


async def test_the_rule_book_knows_its_workflows_only() -> None:
    """An unknown workflow is an error of its own."""
    assert await SeededRuleBook().workflow("credit-check") is WORKFLOW
    with pytest.raises(UnknownError):
        await SeededRuleBook().workflow("x")


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of an empty Redis."""
    client = redis_client(redis_url, timeout_seconds=10.0)  # the machine may be busy; no test is about it
    await client.flushdb()
    yield client
    await client.aclose()


async def test_an_opinion_is_kept_until_its_time_is_over(client: Redis) -> None:
    """What is put is got, and Redis forgets it after the TTL."""
    cache = RedisCache(client, ttl_seconds=60)
    assert await cache.get("k") is None
    await cache.put("k", OPINION)
    assert await cache.get("k") == OPINION
    assert 0 < await client.ttl(CACHE_PREFIX + "k") <= 60


@pytest.mark.parametrize("rubbish", [b"\xff\xfe", b"{}", b'{"verdict": "approved", "confidence": 7}'])
async def test_rubbish_in_the_cache_is_no_answer(client: Redis, rubbish: bytes) -> None:
    """What cannot be read is told and never served."""
    await client.set(CACHE_PREFIX + "k", rubbish)
    with pytest.raises(CacheUnavailableError, match="cannot be read"):
        await RedisCache(client, ttl_seconds=60).get("k")


async def test_a_refused_cache_fails_at_once(nobody_listens: int) -> None:
    """No retry: a miss is cheaper."""
    client = redis_client(f"redis://127.0.0.1:{nobody_listens}/0", timeout_seconds=5.0)
    started = time.monotonic()
    with pytest.raises(CacheUnavailableError):
        await RedisCache(client, ttl_seconds=60).put("k", OPINION)
    assert time.monotonic() - started < 1.0
    await client.aclose()


async def test_a_cache_that_says_nothing_costs_its_time_out() -> None:
    """A hung Redis is given up after the time-out of the client."""
    callers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: callers.append(writer), "127.0.0.1", 0)
    client = redis_client(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", timeout_seconds=0.2)
    started = time.monotonic()
    with pytest.raises(CacheUnavailableError):
        await RedisCache(client, ttl_seconds=60).get("k")
    assert time.monotonic() - started < 1.0
    await client.aclose()
    for caller in callers:
        caller.close()
    server.close()
