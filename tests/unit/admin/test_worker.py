"""What the worker takes in and delivers, on a real PostgreSQL and a fake fds."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.admin.domain import is_spot_check
from services.admin.signals import INTAKE_FAILED, Signals
from services.admin.store import PostgresStore
from services.admin.worker import (
    BATCH,
    LONGEST_PAUSE_SECONDS,
    PAGE,
    Courier,
    Intake,
    Worker,
    pause_after,
)
from tests.unit.admin.fakes import START, FakeFds, SilentStore, a_case, a_review
from tests.unit.admin.rig import Observed, until, with_store
from tests.unit.fds.conftest import Server

SEED = 7


class Clock:
    """The time of day, which only the test moves."""

    now = START + timedelta(hours=1)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def observed() -> Iterator[Observed]:
    """Telemetry in memory."""
    made = Observed()
    yield made
    made.telemetry.shutdown()


@pytest.fixture
def signals(observed: Observed) -> Signals:
    """Signals of a clock that stands still."""
    return Signals(observed.telemetry.metrics, clock=lambda: 0.0)


Take = Callable[[Intake, PostgresStore, Clock], Awaitable[Any]]


def taking(url: str, fds: FakeFds, signals: Signals, work: Take) -> Any:
    """Run `work` with an intake of an empty database."""

    async def run(store: PostgresStore) -> Any:
        clock = Clock()
        return await work(Intake(store, fds, signals, seed=SEED, now=clock), store, clock)

    return with_store(url, run)


async def ids(store: PostgresStore) -> list[str]:
    """The open cases."""
    return [one.case.transaction_id for one in await store.queue(kind=None, limit=10_000)]


def test_every_held_payment_comes_in_once(postgres: Server, signals: Signals, observed: Observed) -> None:
    """More than a page, over several rounds, each found again in the overlap and taken once."""
    fds = FakeFds({"hold": [a_case(number) for number in range(1, 2 * PAGE + 50)]})

    async def work(intake: Intake, store: PostgresStore, clock: Clock) -> None:
        await intake.step()
        assert len(await ids(store)) == 2 * PAGE + 49
        fds.listed["hold"] += [a_case(number) for number in range(2 * PAGE + 50, 2 * PAGE + 60)]
        await intake.step()
        await intake.step()
        assert len(await ids(store)) == 2 * PAGE + 59

    taking(postgres.url, fds, signals, work)
    assert observed.value("admin_cases_total", kind="held") == 2 * PAGE + 59


def test_later_rounds_ask_only_for_what_is_new(postgres: Server, signals: Signals) -> None:
    """From a little before the last one; the first looks back a day."""
    fds = FakeFds({"hold": [a_case(100)]})

    async def work(intake: Intake, store: PostgresStore, clock: Clock) -> None:
        await intake.step()
        await intake.step()

    taking(postgres.url, fds, signals, work)
    first, second = [since for decision, since in fds.asked if decision == "hold"]
    assert first is not None
    assert second is not None
    assert START - first > timedelta(hours=22)
    assert second == START + timedelta(seconds=95)


def test_one_that_was_written_late_is_not_missed(postgres: Server, signals: Signals) -> None:
    """Evaluations are written a moment after they are dated, and not in order."""
    fds = FakeFds({"hold": [a_case(100)]})

    async def work(intake: Intake, store: PostgresStore, clock: Clock) -> list[str]:
        await intake.step()
        fds.listed["hold"].append(a_case(98))
        await intake.step()
        return await ids(store)

    assert set(taking(postgres.url, fds, signals, work)) == {"t-100", "t-98"}


def test_what_is_younger_than_three_seconds_waits_for_the_next_round(
    postgres: Server, signals: Signals
) -> None:
    """Its label may be on its way."""
    young = a_case(1, evaluated_at=Clock.now - timedelta(seconds=1))
    fds = FakeFds({"hold": [young]})

    async def work(intake: Intake, store: PostgresStore, clock: Clock) -> list[list[str]]:
        await intake.step()
        before = await ids(store)
        clock.now += timedelta(seconds=3)
        await intake.step()
        return [before, await ids(store)]

    assert taking(postgres.url, fds, signals, work) == [[], ["t-1"]]


def test_a_tenth_of_the_others_is_checked(postgres: Server, signals: Signals) -> None:
    """Chosen by the transaction, so that looking twice does not choose twice."""
    approved = [a_case(n, kind="spot_check", decision="approve") for n in range(1, 41)]
    fds = FakeFds({"approve": approved})

    async def work(intake: Intake, store: PostgresStore, clock: Clock) -> list[str]:
        await intake.step()
        await intake.step()
        return await ids(store)

    chosen = {case.transaction_id for case in approved if is_spot_check(case.transaction_id, seed=SEED)}
    assert set(taking(postgres.url, fds, signals, work)) == chosen
    assert 0 < len(chosen) < 15


def test_the_share_of_spot_checks_is_what_it_says() -> None:
    """A tenth, and another tenth for another seed."""
    every = [f"t-{number}" for number in range(5_000)]
    chosen = {one for one in every if is_spot_check(one, seed=1)}
    assert 400 < len(chosen) < 600
    assert chosen != {one for one in every if is_spot_check(one, seed=2)}


def test_without_fds_nothing_comes_in_and_nothing_is_forgotten(
    postgres: Server, signals: Signals, observed: Observed
) -> None:
    """It is counted at every round and told once; afterwards all come in."""
    fds = FakeFds({"hold": [a_case(1)]}, down=True)

    async def work(intake: Intake, store: PostgresStore, clock: Clock) -> list[str]:
        await intake.step()
        await intake.step()
        fds.down = False
        await intake.step()
        return await ids(store)

    assert taking(postgres.url, fds, signals, work) == ["t-1"]
    assert observed.value("admin_fds_failures_total", operation="intake") == 2
    assert len(observed.lines(INTAKE_FAILED)) == 1


def test_the_courier_stops_at_the_first_failure_and_loses_nothing(
    postgres: Server, signals: Signals, observed: Observed
) -> None:
    """One attempt for a batch while fds is away; all are delivered when it is back."""
    fds = FakeFds(down=True)

    async def work(store: PostgresStore) -> None:
        for number in range(BATCH + 5):
            await store.accept(a_review(number))
        courier = Courier(store, fds, signals)
        await courier.step()
        assert observed.value("admin_fds_failures_total", operation="delivery") == 1
        fds.down = False

        async def done() -> bool:
            await courier.step()
            return (await store.overview()).pending == 0

        await until(done)

    with_store(postgres.url, work)
    assert len(fds.told) == len(set(fds.told)) == BATCH + 5


def test_pauses_double_and_then_stay() -> None:
    """Half a second, up to a quarter of a minute, for however many attempts."""
    pauses = [pause_after(attempts) for attempts in (0, 1, 2, 5, 6, 1_000_000)]
    assert pauses == [0.5, 1.0, 2.0, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_the_courier_rests_until_it_is_woken(signals: Signals) -> None:
    """A verdict need not wait for the next look."""

    async def run() -> float:
        courier = Courier(SilentStore(), FakeFds(), signals)
        loop = asyncio.get_running_loop()
        started = loop.time()
        loop.call_later(0.02, courier.wake)
        await courier.rest()
        return loop.time() - started

    assert asyncio.run(run()) < 0.5


def test_the_worker_survives_what_nobody_thought_of(signals: Signals, observed: Observed) -> None:
    """A bad round is logged as an error and the next one comes."""

    class Broken(SilentStore):
        rounds = 0

        async def overview(self) -> Any:
            self.rounds += 1
            raise ZeroDivisionError("oops")

    async def run() -> int:
        store = Broken()
        fds = FakeFds()
        worker = Worker(store, Intake(store, fds, signals, seed=1), Courier(store, fds, signals), signals)
        task = asyncio.create_task(worker.run())

        async def twice() -> bool:
            return store.rounds >= 2

        await until(twice)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return store.rounds

    assert asyncio.run(run()) >= 2
    assert observed.lines("Review worker failed")[0]["level"] == "ERROR"
