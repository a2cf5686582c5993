"""The cache on a real Redis, passwords, tokens, the client of fds, and what the gauges show."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ecommerce.activity import FEWEST_LOOKUPS, WINDOW_SECONDS, ActiveUsers, HitRatio
from services.ecommerce.adapters import MOST_WAITING, RedisCache, ScryptPasswords, connect_redis
from services.ecommerce.domain import Buyer, Verdict
from services.ecommerce.fraud import MISSES, REST_SECONDS, FraudService, GuardedFraud
from services.ecommerce.ports import (
    BusyError,
    CacheUnavailableError,
    FraudRefusedError,
    FraudUnavailableError,
)
from services.ecommerce.sessions import LIFETIME_SECONDS, Sessions, guest
from tests.unit.ecommerce.conftest import Server, free_port
from tests.unit.ecommerce.fakes import CALM, FakeFraud

SINCE = datetime(2025, 5, 1, tzinfo=UTC)
ANSWER = {"decision": "hold", "risk_level": "high", "risk_score": 71.5, "label": None}


class Clock:
    """Seconds that only the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Witness:
    """Remembers how often fds came back."""

    back = 0

    def fds_back(self) -> None:
        self.back += 1


# --- Redis -------------------------------------------------------------------------------------


def test_the_cache_keeps_for_a_while(redis: Server) -> None:
    """And gives bytes as they were."""

    async def run() -> None:
        client = connect_redis(redis.url)
        cache = RedisCache(client, ttl_seconds=30)
        assert await cache.get("a") is None
        await cache.put({"a": b"\x00\xff", "b": b"2"})
        assert [await cache.get("a"), await cache.get("b")] == [b"\x00\xff", b"2"]
        assert 0 < await client.ttl("shop:v1:a") <= 30
        await client.aclose()

    asyncio.run(run())


def test_a_dead_redis_is_found_out_at_once_and_left_alone() -> None:
    """For two seconds nobody waits for it."""
    clock = Clock()

    async def run() -> list[str]:
        client = connect_redis(f"redis://127.0.0.1:{free_port()}/0")
        cache, told = RedisCache(client, ttl_seconds=30, clock=clock), []
        for step in (0.0, 1.9, 0.2):
            clock.now += step
            with pytest.raises(CacheUnavailableError) as raised:
                await cache.get("a")
            told.append(str(raised.value))
        await client.aclose()
        return told

    first, second, third = asyncio.run(run())
    assert "not asked" in second
    assert "not asked" not in first + third


def test_a_frozen_redis_costs_a_tenth_of_a_second_once(redis: Server) -> None:
    """A Redis that accepts and says nothing is given up quickly."""

    async def run() -> list[float]:
        client = connect_redis(redis.url)
        cache, spent = RedisCache(client, ttl_seconds=30), []
        await cache.get("a")
        with redis.frozen():
            for call in (cache.get("a"), cache.put({"a": b""})):
                started = time.monotonic()
                with pytest.raises(CacheUnavailableError):
                    await call
                spent.append(time.monotonic() - started)
        await client.aclose()
        return spent

    first, second = asyncio.run(run())
    assert first < 0.5
    assert second < 0.07


# --- passwords and tokens ----------------------------------------------------------------------


def test_passwords_are_salted_and_checked() -> None:
    """The same one twice gives two hashes; the hash says how it was made; nobody's password fits nothing."""

    async def run() -> None:
        passwords = ScryptPasswords(log2_cost=4)
        one, other = await passwords.hash("söme"), await passwords.hash("söme")
        assert one != other
        assert len(one) <= 160
        assert await ScryptPasswords(log2_cost=5).fits("söme", one)
        assert not await passwords.fits("some", one)
        assert not await passwords.fits("", None)
        passwords.close()

    asyncio.run(run())


def test_hashing_does_not_stop_the_loop() -> None:
    """At full cost, several at once: the loop goes on turning."""

    async def run() -> tuple[float, float]:
        passwords = ScryptPasswords()
        work = asyncio.gather(*(passwords.hash("x") for _ in range(4)))
        begun, longest = time.monotonic(), 0.0
        while not work.done():
            turn = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - turn)
        passwords.close()
        return time.monotonic() - begun, longest

    whole, longest = asyncio.run(run())
    assert longest < whole / 2


def test_too_many_passwords_at_once_are_refused() -> None:
    """The queue is bounded, so that a flood of log-ins is told to come again and nobody waits for minutes."""

    async def run() -> int:
        passwords = ScryptPasswords(log2_cost=10)
        calls = (passwords.hash("x") for _ in range(MOST_WAITING + 5))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        passwords.close()
        return sum(isinstance(answer, BusyError) for answer in answers)

    assert asyncio.run(run()) == 5


def test_a_token_says_who_it_is_until_it_is_old() -> None:
    """On every replica with the same key, and on no other."""
    clock, buyer = Clock(), Buyer(uuid.uuid4(), "mail.example", SINCE)
    sessions = Sessions(b"k" * 32, wall=clock)
    token = sessions.token(buyer)
    assert Sessions(b"k" * 32, wall=clock).buyer(token) == buyer
    assert Sessions(b"x" * 32, wall=clock).buyer(token) is None
    clock.now += LIFETIME_SECONDS
    assert sessions.buyer(token) is None


@given(st.text(max_size=120) | st.binary(max_size=90).map(lambda value: value.hex()))
def test_no_made_up_token_is_taken(text: str) -> None:
    """And none breaks the reader."""
    assert Sessions(b"k" * 32).buyer(text) is None


@given(st.integers(0, 70), st.integers(1, 255))
def test_a_changed_token_is_refused(place: int, change: int) -> None:
    """Every bit is signed."""
    token = bytearray(
        Sessions(b"k" * 32, wall=Clock()).token(Buyer(uuid.UUID(int=1), "mail.example", SINCE)).encode()
    )
    place %= len(token)
    token[place] = (token[place] + change) % 128
    sessions = Sessions(b"k" * 32, wall=Clock())
    changed = sessions.buyer(token.decode())
    original = Buyer(uuid.UUID(int=1), "mail.example", SINCE)
    assert changed in (None, original)  # base64 has spellings that mean the same bytes


def test_codes_have_six_digits_and_belong_to_one_payment() -> None:
    """The same for the same payment."""
    sessions = Sessions(b"k" * 32)
    codes = {sessions.code(uuid.UUID(int=number)) for number in range(50)}
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert len(codes) > 45
    assert sessions.code(uuid.UUID(int=1)) == sessions.code(uuid.UUID(int=1))


def test_a_guest_is_the_same_by_address() -> None:
    """Whatever its case; the domain is all that fds hears of the address."""
    assert guest("Kim@Mail.example") == guest("kim@mail.example") != guest("lee@mail.example")
    assert guest("kim@mail.example").email_domain == "mail.example"


# --- fds ---------------------------------------------------------------------------------------


def with_fds(
    answer: Callable[[httpx.Request], httpx.Response], work: Callable[[FraudService], Awaitable[None]]
) -> None:
    """Run `work` on a client whose peer gives `answer`."""

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://fds") as client:
            await work(FraudService(client))

    asyncio.run(run())


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    """A body as it comes over the network."""
    yield content


def reply(status: int, value: object) -> httpx.Response:
    """An answer whose body is still to be read: JSON, or bytes as they are."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return httpx.Response(status, content=chunks(content))


def test_a_verdict_is_read() -> None:
    """And a label; of what was never evaluated there is none."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            known = request.url.path.endswith("/t-1")
            return reply(200, {"label": "fraud"}) if known else reply(404, {})
        assert json.loads(request.content) == {"transaction_id": "t-1"}
        return reply(200, ANSWER)

    async def work(fraud: FraudService) -> None:
        assert await fraud.evaluate({"transaction_id": "t-1"}) == Verdict("hold", "high", 71.5)
        assert [await fraud.label("t-1"), await fraud.label("t-2")] == ["fraud", None]

    with_fds(answer, work)


@pytest.mark.parametrize(
    ("status", "value"),
    [
        (503, {}), (500, b"x"), (200, b"{"), (200, []), (200, {}), (200, b"x" * 70_000), (422, {}), (302, {}),
        (200, {**ANSWER, "decision": "maybe"}), (200, {**ANSWER, "decision": ["hold"]}),
        (200, {**ANSWER, "risk_level": None}), (200, {**ANSWER, "risk_score": True}),
        (200, {**ANSWER, "risk_score": "71"}),
    ],
)  # fmt: skip
def test_what_is_no_verdict_is_an_unavailable_fds(status: int, value: object) -> None:
    """Nothing that a broken peer says gets further."""

    async def work(fraud: FraudService) -> None:
        with pytest.raises(FraudUnavailableError):
            await fraud.evaluate({})

    with_fds(lambda _: reply(status, value), work)


def test_an_fds_that_fails_rests_and_one_payment_tries_it_again() -> None:
    """Its return is told once."""
    clock, witness, inner = Clock(), Witness(), FakeFraud(FraudUnavailableError("down"))
    guarded = GuardedFraud(inner, witness, limit_seconds=0.05, clock=clock)

    async def ask() -> bool:
        try:
            return await guarded.evaluate({}) == CALM
        except FraudUnavailableError:
            return False

    async def run() -> None:
        assert [await ask() for _ in range(MISSES + 5)] == [False] * (MISSES + 5)
        assert len(inner.asked) == MISSES
        clock.now += REST_SECONDS
        assert [await ask() for _ in range(3)] == [False] * 3
        assert len(inner.asked) == MISSES + 1
        clock.now += REST_SECONDS
        inner.answer = CALM
        assert [await ask() for _ in range(3)] == [True] * 3
        assert witness.back == 1

    asyncio.run(run())


def test_a_refusal_is_no_reason_to_leave_fds_alone() -> None:
    """One odd request must not send all others past fds."""
    inner = FakeFraud(FraudRefusedError("HTTP 422"))
    guarded = GuardedFraud(inner, Witness(), limit_seconds=0.05, clock=Clock())

    async def run() -> None:
        for _ in range(MISSES + 2):
            with pytest.raises(FraudRefusedError):
                await guarded.evaluate({})

    asyncio.run(run())
    assert len(inner.asked) == MISSES + 2


# --- gauges ------------------------------------------------------------------------------------


def test_active_users_are_those_of_the_last_five_minutes() -> None:
    """Each once."""
    clock = Clock()
    users = ActiveUsers(clock=clock)
    for number in (1, 2, 1, 3):
        users.touch(uuid.UUID(int=number))
    clock.now += WINDOW_SECONDS - 1
    users.touch(uuid.UUID(int=1))
    assert users.count() == 3
    clock.now += 1
    assert users.count() == 1


def test_the_hit_ratio_slides_and_is_unknown_below_twenty() -> None:
    """Old look-ups are forgotten."""
    clock = Clock()
    ratio = HitRatio(clock=clock)
    for _ in range(FEWEST_LOOKUPS - 1):
        ratio.looked(hit=False)
    assert ratio.ratio() is None
    ratio.looked(hit=True)
    assert ratio.ratio() == 1 / FEWEST_LOOKUPS
    clock.now += WINDOW_SECONDS - 20
    for _ in range(FEWEST_LOOKUPS):
        ratio.looked(hit=True)
    assert ratio.ratio() == (FEWEST_LOOKUPS + 1) / (2 * FEWEST_LOOKUPS)
    clock.now += 30
    assert ratio.ratio() == 1.0
    clock.now += WINDOW_SECONDS
    assert ratio.ratio() is None
