"""Adapters against a real Redis, a real PostgreSQL, and ones that are gone or frozen."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from services.fds.adapters import CachedFeed, DistantFeed, RedisVelocity, connect_redis
from services.fds.database import connect
from services.fds.domain import Indicator
from services.fds.ports import (
    IntelligenceUnavailableError,
    Kept,
    StoreUnavailableError,
    VelocityUnavailableError,
)
from services.fds.store import BoundedStore, PostgresFeed, PostgresStore, known_threats
from services.fds.tables import evaluations, metadata
from tests.unit.fds.conftest import Server, free_port
from tests.unit.fds.fakes import NOON, FakeFeed, a_transaction, run_virtually

T = TypeVar("T")
KEPT = Kept(
    "t-1", "e-1", "f" * 64, "hold", 71.5, {"amount": 1000.0, "note": "ü𝄞"}, {"risk_score": 71.5}, NOON
)


def with_store(url: str, work: Callable[[PostgresStore], Awaitable[T]], *, fresh: bool = True) -> T:
    """Run `work` on a store with its tables made, empty if `fresh`."""

    async def run() -> T:
        engine = connect(url)
        store = PostgresStore(engine, seed=7)
        try:
            await store.prepare()
            if fresh:
                async with engine.begin() as connection:
                    await connection.execute(sa.delete(evaluations))
            return await work(store)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def velocity_of(url: str, work: Callable[[RedisVelocity], Awaitable[T]], wall: Callable[[], float]) -> T:
    """Run `work` on empty counters."""

    async def run() -> T:
        client = connect_redis(url)
        try:
            await client.flushdb()
            return await work(RedisVelocity(client, wall=wall))
        finally:
            await client.aclose()

    return asyncio.run(run())


# --- Redis -------------------------------------------------------------------------------------


def test_counters_slide(redis: Server) -> None:
    """A minute's payments count in full at its end, by half half a minute later, not at all after two."""
    now = [6_000_000.0 + 59]

    async def work(velocity: RedisVelocity) -> list[float]:
        seen = [await velocity.count(a_transaction(card_id="card-1")) for _ in range(4)]
        now[0] += 31  # in the middle of the next minute
        seen.append(await velocity.count(a_transaction(card_id="card-1")))
        now[0] += 120
        seen.append(await velocity.count(a_transaction(card_id="card-1")))
        return [counted.card_per_minute for counted in seen]

    assert velocity_of(redis.url, work, lambda: now[0]) == [1, 2, 3, 4, 3, 1]


def test_each_subject_has_counters_of_its_own(redis: Server) -> None:
    """User, card and address apart; what is unknown counts nothing; money adds up."""

    async def work(velocity: RedisVelocity) -> list[object]:
        await velocity.count(a_transaction(user_id="a", ip="192.0.2.1", card_id=None, amount=300_000.0))
        seen = await velocity.count(a_transaction(user_id="a", ip="192.0.2.2", amount=200_000.0))
        return [seen.user_per_minute, seen.card_per_minute, seen.ip_per_minute, seen.user_krw_per_hour]

    assert velocity_of(redis.url, work, lambda: 7_200_000.0) == [2, 0, 1, 500_000]


def test_redis_holds_no_names_and_forgets(redis: Server) -> None:
    """Keys carry digests only, and every one expires."""

    async def run() -> None:
        client = connect_redis(redis.url)
        await client.flushdb()
        await RedisVelocity(client).count(a_transaction(user_id="kim@shop.example", card_id="4111-1111"))
        keys = [key async for key in client.scan_iter()]
        assert len(keys) == 4
        assert not any(b"kim" in key or b"4111" in key for key in keys)
        assert all([await client.ttl(key) > 0 for key in keys])
        await client.aclose()

    asyncio.run(run())


def test_a_dead_redis_is_found_out_at_once_and_left_alone() -> None:
    """Refused connections raise the adapter's own error; the next call does not even try for two seconds."""
    clock = [0.0]

    async def run() -> list[str]:
        client = connect_redis(f"redis://127.0.0.1:{free_port()}/0")
        velocity = RedisVelocity(client, clock=lambda: clock[0])
        told = []
        for clock[0] in (0.0, 1.9, 2.1):
            with pytest.raises(VelocityUnavailableError) as raised:
                await velocity.count(a_transaction())
            told.append(str(raised.value))
        await client.aclose()
        return told

    first, second, third = asyncio.run(run())
    assert "not asked" in second
    assert "not asked" not in first + third


def test_a_frozen_redis_costs_a_tenth_of_a_second_once(redis: Server) -> None:
    """A Redis that accepts and says nothing is given up quickly."""

    async def run() -> tuple[float, float]:
        client = connect_redis(redis.url)
        velocity = RedisVelocity(client)
        await velocity.count(a_transaction())
        spent = []
        with redis.frozen():
            for _ in range(2):
                started = time.monotonic()
                with pytest.raises(VelocityUnavailableError):
                    await velocity.count(a_transaction())
                spent.append(time.monotonic() - started)
        await client.aclose()
        return spent[0], spent[1]

    first, second = asyncio.run(run())
    assert first < 0.5
    assert second < 0.07  # less than one time-out


# --- the threat feed ---------------------------------------------------------------------------


def test_the_feed_remembers_matches_and_misses_for_a_minute() -> None:
    """Both kinds of answer, and only what is not known is asked."""
    clock, inner = [0.0], FakeFeed([Indicator("ip", "high")])
    feed = CachedFeed(inner, clock=lambda: clock[0])

    async def work() -> None:
        for _ in range(2):
            assert await feed.matches({"ip": "192.0.2.1", "device": "d"}) == [Indicator("ip", "high")]
        assert inner.asked == [{"ip": "192.0.2.1", "device": "d"}]
        await feed.matches({"ip": "192.0.2.1", "email_domain": "mail.example"})
        assert inner.asked[1:] == [{"email_domain": "mail.example"}]
        clock[0] = 61.0
        await feed.matches({"ip": "192.0.2.1"})
        assert inner.asked[2:] == [{"ip": "192.0.2.1"}]

    run_virtually(work())


def test_the_feed_is_as_slow_as_a_network_and_the_same_every_time() -> None:
    """5 to 20 ms, drawn by the seed and the question."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def work(seed: int) -> None:
        feed = DistantFeed(FakeFeed(), seed=seed, sleep=sleep)
        for number in range(20):
            await feed.matches({"ip": f"192.0.2.{number}"})

    for seed in (7, 7, 8):
        run_virtually(work(seed))
    assert slept[:20] == slept[20:40] != slept[40:]
    assert all(0.005 <= seconds <= 0.020 for seconds in slept)
    assert len(set(slept[:20])) > 10


def test_the_seeded_feed_answers(postgres: Server) -> None:
    """The demonstration entries match, an ordinary address does not."""

    async def work(_: PostgresStore) -> list[object]:
        engine = connect(postgres.url)
        feed = PostgresFeed(engine)
        found = [
            await feed.matches({"ip": "203.0.113.66", "device": "device-1"}),
            await feed.matches({"device": "device-stolen-0001", "email_domain": "throwaway.example"}),
            await feed.matches({"ip": "198.51.100.7"}),
        ]
        await engine.dispose()
        return [sorted((i.kind, i.severity) for i in matches) for matches in found]

    assert with_store(postgres.url, work) == [
        [("ip", "critical")], [("device", "critical"), ("email_domain", "high")], [],
    ]  # fmt: skip


def test_threats_are_the_same_for_the_same_seed() -> None:
    """And unique, or the primary key would refuse them."""
    assert known_threats(7) == known_threats(7) != known_threats(8)
    keys = [(row["kind"], row["value"]) for row in known_threats(7)]
    assert len(set(keys)) == len(keys)


def test_a_feed_without_its_database_says_so() -> None:
    """With the adapter's own error."""

    async def run() -> None:
        engine = connect(f"postgresql+asyncpg://fds@127.0.0.1:{free_port()}/postgres")
        with pytest.raises(IntelligenceUnavailableError):
            await PostgresFeed(engine).matches({"ip": "192.0.2.1"})
        await engine.dispose()

    asyncio.run(run())


# --- evaluations -------------------------------------------------------------------------------


def test_an_evaluation_is_kept(postgres: Server) -> None:
    """What is added is found again, by a new connection too."""

    async def add(store: PostgresStore) -> Kept:
        assert await store.find("t-1") is None
        return await store.add(KEPT)

    assert with_store(postgres.url, add) == KEPT
    assert with_store(postgres.url, lambda store: store.find("t-1"), fresh=False) == KEPT


def test_of_two_at_once_one_is_kept_and_both_get_it(postgres: Server) -> None:
    """The second gets the first one's evaluation back."""

    async def work(store: PostgresStore) -> list[str]:
        rivals = [store.add(replace(KEPT, evaluation_id=f"e-{number}")) for number in range(8)]
        return [kept.evaluation_id for kept in await asyncio.gather(*rivals)]

    assert len(set(with_store(postgres.url, work))) == 1


def test_a_label_is_set_once(postgres: Server) -> None:
    """Of ten at once exactly one changes the row, whatever they say; an unknown transaction gives None."""

    async def work(store: PostgresStore) -> tuple[int, set[str | None], object]:
        await store.add(KEPT)
        labels = await asyncio.gather(
            *(store.label("t-1", "fraud" if number % 2 else "legitimate") for number in range(10))
        )
        given = [found for found in labels if found is not None]
        return sum(f.changed for f in given), {f.kept.label for f in given}, await store.label("t-2", "fraud")

    changed, labels, unknown = with_store(postgres.url, work)
    assert changed == 1
    assert len(labels) == 1
    assert unknown is None


def test_lists_are_newest_first_and_filtered(postgres: Server) -> None:
    """By decision, without a label, at most as many as asked."""

    async def work(store: PostgresStore) -> list[list[str]]:
        for number, decision in enumerate(("hold", "approve", "hold", "hold")):
            await store.add(
                replace(
                    KEPT,
                    transaction_id=f"t-{number}",
                    decision=decision,  # type: ignore[arg-type]  # mypy widens the tuple's literals
                    created_at=NOON + timedelta(seconds=number),
                )
            )
        await store.label("t-2", "fraud")
        lists = [
            await store.latest(decision=None, unlabelled=False, limit=3),
            await store.latest(decision="hold", unlabelled=False, limit=10),
            await store.latest(decision="hold", unlabelled=True, limit=10),
        ]
        return [[kept.transaction_id for kept in found] for found in lists]

    assert with_store(postgres.url, work) == [["t-3", "t-2", "t-1"], ["t-3", "t-2", "t-0"], ["t-3", "t-0"]]


def test_past_labels_come_back_oldest_first_and_only_the_last_200(postgres: Server) -> None:
    """A restart goes on with the same windows."""

    async def fill(store: PostgresStore) -> None:
        for number in range(205):
            name = f"t-{number}"
            await store.add(replace(KEPT, transaction_id=name))
            await store.label(name, "legitimate" if number < 10 else "fraud")
        await store.add(replace(KEPT, transaction_id="missed", decision="approve"))
        await store.label("missed", "fraud")

    async def again(store: PostgresStore) -> tuple[list[str], list[str]]:
        past = await store.prepare()
        return list(past.stopped), list(past.fraud)

    with_store(postgres.url, fill)
    stopped, fraud = with_store(postgres.url, again, fresh=False)
    assert stopped == ["false_positive"] * 5 + ["true_positive"] * 195
    assert fraud == ["true_positive"] * 195 + ["false_negative"]


def test_workers_may_start_together(postgres: Server) -> None:
    """Five at once on a database without tables: none fails."""

    async def run() -> None:
        engine = connect(postgres.url)
        async with engine.begin() as connection:
            await connection.run_sync(metadata.drop_all)
        await asyncio.gather(*(PostgresStore(engine, seed=7).prepare() for _ in range(5)))
        await engine.dispose()

    asyncio.run(run())


def test_a_database_that_is_gone_is_an_error_at_once() -> None:
    """Refused connections become the port's error."""

    async def run() -> None:
        engine = connect(f"postgresql+asyncpg://fds@127.0.0.1:{free_port()}/postgres")
        with pytest.raises(StoreUnavailableError):
            await PostgresStore(engine, seed=7).check()
        await engine.dispose()

    asyncio.run(run())


def test_connections_that_died_cost_no_request(postgres: Server) -> None:
    """After a restart every pooled connection is dead: each call is tried once more on a new one."""
    killed = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'fds' AND pid <> pg_backend_pid()"
    )

    async def work(store: PostgresStore) -> None:
        killer = create_async_engine(postgres.url)
        await asyncio.gather(*(store.check() for _ in range(8)))
        for number in range(3):
            kept = replace(KEPT, transaction_id=f"t-{number}")
            for call in (store.find("t-0"), store.add(kept), store.label(kept.transaction_id, "fraud")):
                async with killer.connect() as connection:
                    await connection.execute(killed)
                await call
            assert (await store.find(kept.transaction_id)) is not None
        await killer.dispose()

    with_store(postgres.url, work)


def test_a_frozen_database_is_given_up_in_time_and_serves_again_after(postgres: Server) -> None:
    """The driver's own clean-up may take its time; the caller does not wait for it."""

    async def work(inner: PostgresStore) -> list[float]:
        store, spent = BoundedStore(inner), []
        await store.add(KEPT)
        with postgres.frozen():
            for call in (store.find("t-1"), store.add(replace(KEPT, transaction_id="t-2")), store.check()):
                started = time.monotonic()
                with pytest.raises(StoreUnavailableError):
                    await call
                spent.append(time.monotonic() - started)
        for _ in range(20):
            try:
                assert await store.find("t-1") == KEPT
                return spent
            except StoreUnavailableError:
                continue
        raise AssertionError("the store does not come back")

    assert all(seconds < 1.5 for seconds in with_store(postgres.url, work))


def test_evaluations_from_a_moment_on_come_oldest_first(postgres: Server) -> None:
    """That moment included, labelled ones left out when asked."""

    async def work(store: PostgresStore) -> list[list[str]]:
        for number in range(4):
            moment = NOON + timedelta(seconds=number)
            await store.add(replace(KEPT, transaction_id=f"t-{number}", created_at=moment))
        await store.label("t-2", "fraud")
        since = NOON + timedelta(seconds=1)
        found = [
            await store.latest(decision="hold", unlabelled=unlabelled, limit=2, since=since)
            for unlabelled in (False, True)
        ]
        return [[kept.transaction_id for kept in page] for page in found]

    assert with_store(postgres.url, work) == [["t-1", "t-2"], ["t-1", "t-3"]]
