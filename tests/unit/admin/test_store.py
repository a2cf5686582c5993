"""Cases, reviews and the outbox on a real PostgreSQL, and on one that is gone or frozen."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from services.admin.bounded import BoundedStore
from services.admin.domain import Overview
from services.admin.ports import Filter, StoreUnavailableError
from services.admin.store import PostgresStore, connect
from tests.unit.admin.fakes import START, SilentStore, a_case, a_review
from tests.unit.admin.rig import nothing, with_store
from tests.unit.fds.conftest import Server, free_port


def test_cases_wait_in_the_order_in_which_they_came(postgres: Server) -> None:
    """A case that is known already changes nothing, and progress is kept with them."""

    async def work(store: PostgresStore) -> None:
        assert await store.take_in([a_case(1), a_case(2)], held_until=START) == {"held": 2}
        spot = a_case(3, kind="spot_check", decision="approve")
        assert await store.take_in([a_case(2), spot], held_until=None) == {"spot_check": 1}
        waiting = await store.queue(kind=None, limit=10)
        assert [one.case for one in waiting] == [a_case(1), a_case(2), spot]
        assert [one.case.transaction_id for one in await store.queue(kind="held", limit=1)] == ["t-1"]
        progress = await store.progress()
        assert (progress.held_until, progress.held, progress.spot_checks) == (START, 2, 1)

    with_store(postgres.url, work)


def test_the_same_case_twice_in_one_round_is_one(postgres: Server) -> None:
    """Pages overlap."""

    async def work(store: PostgresStore) -> None:
        assert await store.take_in([a_case(1), a_case(1)], held_until=START) == {"held": 1}

    with_store(postgres.url, work)


def test_a_review_closes_its_case_and_is_pending(postgres: Server) -> None:
    """Both at once; the time that the case waited comes with it."""

    async def work(store: PostgresStore) -> None:
        await store.take_in([a_case(1)], held_until=START)
        accepted = await store.accept(a_review(1))
        assert accepted.fresh
        assert accepted.waited_seconds is not None
        assert 0 <= accepted.waited_seconds < 5
        assert (accepted.kept.kind, accepted.kept.delivery) == ("held", "pending")
        assert accepted.kept.review == a_review(1)
        assert await store.queue(kind=None, limit=10) == []
        assert await store.find("t-1") == accepted.kept

    with_store(postgres.url, work)


def test_a_second_review_of_a_case_changes_nothing(postgres: Server) -> None:
    """The first verdict stays, whoever comes later."""

    async def work(store: PostgresStore) -> None:
        first = await store.accept(a_review(1, "fraud"))
        second = await store.accept(a_review(1, "legitimate", "reviewer-lee"))
        assert (second.fresh, second.kept) == (False, first.kept)

    with_store(postgres.url, work)


def test_of_many_at_once_one_wins(postgres: Server) -> None:
    """Twenty reviewers, one review."""

    async def work(store: PostgresStore) -> None:
        await store.take_in([a_case(1)], held_until=START)
        every = [store.accept(a_review(1, reviewer=f"reviewer-{n}")) for n in range(10)]
        accepted = await asyncio.gather(*every)
        assert sum(one.fresh for one in accepted) == 1
        assert len({one.kept.review.reviewer for one in accepted}) == 1

    with_store(postgres.url, work)


def test_a_reported_transaction_does_not_come_into_the_queue_later(postgres: Server) -> None:
    """It was decided without ever having waited."""

    async def work(store: PostgresStore) -> None:
        accepted = await store.accept(a_review(1))
        assert (accepted.kept.kind, accepted.waited_seconds) == ("reported", None)
        assert await store.take_in([a_case(1), a_case(2)], held_until=START) == {"held": 1}
        assert [one.case.transaction_id for one in await store.queue(kind=None, limit=9)] == ["t-2"]

    with_store(postgres.url, work)


def test_a_claimed_review_is_nobody_elses_until_its_lease_ends(postgres: Server) -> None:
    """Then it is claimed again: its courier has died."""

    async def work(store: PostgresStore) -> None:
        for number in (1, 2, 3):
            await store.accept(a_review(number))
        first = await store.claim(limit=2, lease_seconds=60)
        second = await store.claim(limit=2, lease_seconds=0)
        assert [kept.review.transaction_id for kept in [*first, *second]] == ["t-1", "t-2", "t-3"]
        again = await store.claim(limit=5, lease_seconds=60)
        assert [kept.review.transaction_id for kept in again] == ["t-3"]

    with_store(postgres.url, work)


def test_two_couriers_at_once_share_the_work(postgres: Server) -> None:
    """No review is claimed twice."""

    async def work(store: PostgresStore) -> None:
        for number in range(40):
            await store.accept(a_review(number))
        batches = await asyncio.gather(*(store.claim(limit=10, lease_seconds=60) for _ in range(4)))
        claimed = [kept.review.transaction_id for batch in batches for kept in batch]
        assert len(claimed) == len(set(claimed))
        rest = await store.claim(limit=40, lease_seconds=60)
        assert len(claimed) + len(rest) == 40

    with_store(postgres.url, work)


def test_settled_reviews_are_done_and_postponed_ones_come_back(postgres: Server) -> None:
    """Attempts are counted either way; a settled review stays as it is."""

    async def work(store: PostgresStore) -> None:
        await store.accept(a_review(1))
        await store.accept(a_review(2))
        await store.claim(limit=2, lease_seconds=60)
        await store.settle("t-1", "delivered")
        await store.settle("t-1", "refused")
        await store.postpone(["t-1", "t-2"], seconds=0)
        (again,) = await store.claim(limit=2, lease_seconds=60)
        assert (again.review.transaction_id, again.attempts) == ("t-2", 1)
        settled = await store.find("t-1")
        assert settled is not None
        assert (settled.delivery, settled.attempts) == ("delivered", 1)
        assert settled.delivered_at is not None

    with_store(postgres.url, work)


def test_what_is_accepted_survives_a_new_engine(postgres: Server) -> None:
    """As after a restart: pending reviews are still to be delivered."""

    async def accept(store: PostgresStore) -> None:
        await store.accept(a_review(1))

    async def claim(store: PostgresStore) -> Any:
        return await store.claim(limit=5, lease_seconds=0)

    with_store(postgres.url, accept)
    assert [kept.review for kept in with_store(postgres.url, claim, fresh=False)] == [a_review(1)]


def test_the_overview_counts_what_waits(postgres: Server) -> None:
    """Lengths and ages; zeros for an empty database."""

    async def work(store: PostgresStore) -> None:
        assert await store.overview() == Overview()
        spot = a_case(2, kind="spot_check", decision="approve")
        await store.take_in([a_case(1), spot, a_case(3)], held_until=START)
        await store.accept(a_review(1))
        seen = await store.overview()
        assert (seen.held, seen.spot_checks, seen.queue_length, seen.pending) == (1, 1, 2, 1)
        assert seen.oldest_case_seconds > 0
        assert seen.oldest_pending_seconds > 0

    with_store(postgres.url, work)


def test_reviews_are_listed_by_what_is_asked_and_counted(postgres: Server) -> None:
    """Newest first."""

    async def work(store: PostgresStore) -> None:
        await store.accept(a_review(1, "fraud"))
        await store.accept(a_review(2, "legitimate", "reviewer-lee"))
        await store.settle("t-2", "conflict")
        every = await store.reviews(Filter())
        assert [kept.review.transaction_id for kept in every] == ["t-2", "t-1"]
        for wanted in (Filter("fraud"), Filter(delivery="pending"), Filter(reviewer="reviewer-kim")):
            assert [kept.review.transaction_id for kept in await store.reviews(wanted)] == ["t-1"]
        assert len(await store.reviews(Filter(limit=1))) == 1
        counts = await store.counts()
        assert counts["verdict"] == {"fraud": 1, "legitimate": 1}
        assert counts["delivery"] == {"pending": 1, "conflict": 1}
        assert counts["kind"] == {"reported": 2}

    with_store(postgres.url, work)


def test_any_note_comes_back_as_it_was(postgres: Server) -> None:
    """Letters of every kind, quotes, and SQL that is none."""
    note = "고객이 ü𝄞 '; DROP TABLE admin_reviews; --\n\t\""

    async def work(store: PostgresStore) -> None:
        await store.accept(replace(a_review(1), note=note))
        found = await store.find("t-1")
        assert found is not None
        assert found.review.note == note

    with_store(postgres.url, work)


def test_tables_can_be_made_by_several_at_once(postgres: Server) -> None:
    """Replicas start together."""

    async def work(store: PostgresStore) -> None:
        await asyncio.gather(*(store.prepare() for _ in range(4)))

    with_store(postgres.url, work)


def test_a_database_that_is_not_there_raises_in_time() -> None:
    """The adapter's own error, at once."""

    async def run() -> None:
        engine = connect(f"postgresql+asyncpg://x@127.0.0.1:{free_port()}/x")
        with pytest.raises(StoreUnavailableError):
            await PostgresStore(engine).check()
        await engine.dispose()

    asyncio.run(run())


def test_a_frozen_database_raises_in_time(postgres: Server) -> None:
    """Although the connection is open and its peer says nothing."""
    with_store(postgres.url, nothing)

    async def run() -> float:
        engine = connect(postgres.url)
        store = BoundedStore(PostgresStore(engine), call_seconds=0.3)
        await store.check()
        with postgres.frozen():
            started = time.perf_counter()
            with pytest.raises(StoreUnavailableError):
                await store.accept(a_review(9))
            took = time.perf_counter() - started
        await engine.dispose()
        return took

    assert asyncio.run(run()) < 1.5


@pytest.mark.parametrize("name", ["check", "progress", "overview", "counts"])
def test_every_call_is_bounded(name: str) -> None:
    """By the same limit."""

    async def run() -> None:
        store = BoundedStore(SilentStore(), call_seconds=0.02)
        with pytest.raises(StoreUnavailableError, match="no answer within"):
            await getattr(store, name)()

    asyncio.run(run())
