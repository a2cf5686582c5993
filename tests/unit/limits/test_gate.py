"""So many at once, so many who wait, and nobody who leaves takes a place with him."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from limits.gate import NO_LIMITS, Gate, Refusal, RequestLimits
from tests.unit.limits.observed import until

LIMITS = RequestLimits(running=2, waiting=2, wait_seconds=30.0)


def run(work: Callable[[Gate], Awaitable[None]], limits: RequestLimits = LIMITS) -> None:
    """Run `work` with a gate on an event loop."""

    async def main() -> None:
        await work(Gate(limits))

    asyncio.run(main())


async def queued(gate: Gate) -> "asyncio.Task[Refusal | None]":
    """Somebody who waits."""
    before = gate.waiting
    task = asyncio.create_task(gate.wait())
    await until(lambda: gate.waiting > before)
    return task


def test_so_many_enter_so_many_wait_and_the_next_is_refused_at_once() -> None:
    """Two at work, two in the queue, the fifth knows without waiting."""

    async def work(gate: Gate) -> None:
        assert [gate.enter_at_once() for _ in range(3)] == [True, True, False]
        waiting = [await queued(gate), await queued(gate)]
        assert gate.waiting == 2
        assert await gate.wait() == "queue_full"
        for _ in range(4):
            gate.leave()
        assert [await one for one in waiting] == [None, None]
        assert [gate.enter_at_once() for _ in range(3)] == [True, True, False]

    run(work)


def test_whoever_came_first_is_next() -> None:
    """And a newcomer does not pass those who wait."""

    async def work(gate: Gate) -> None:
        assert gate.enter_at_once()
        assert gate.enter_at_once()
        first, second = await queued(gate), await queued(gate)
        gate.leave()
        assert not gate.enter_at_once()  # the place is taken by the one who waited
        assert await first is None
        assert not second.done()
        gate.leave()
        assert await second is None

    run(work)


def test_nobody_waits_longer_than_is_said() -> None:
    """The place of one who gave up waiting in the queue is free again."""

    async def work(gate: Gate) -> None:
        assert gate.enter_at_once()
        assert await gate.wait() == "waited_too_long"
        assert gate.waiting == 0
        gate.leave()
        assert gate.enter_at_once()

    run(work, RequestLimits(running=1, waiting=1, wait_seconds=0.01))


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is set by hand."""

    now = 0.0

    def time(self) -> float:
        """See asyncio."""
        return self.now


def test_in_a_queue_that_does_not_end_nobody_waits_long() -> None:
    """A burst may wait; after a second of queue a quarter as long; after it was empty as long as before."""
    loop = VirtualLoop()

    async def refused_after(gate: Gate, seconds: float) -> bool:
        task = await queued(gate)
        loop.now += seconds * 0.99
        await asyncio.wait([task], timeout=0)
        early = task.done()
        loop.now += seconds * 0.02
        return not early and await task == "waited_too_long"

    async def work() -> None:
        gate = Gate(RequestLimits(running=1, waiting=3, wait_seconds=0.8))
        assert gate.enter_at_once()
        assert await refused_after(gate, 0.8)
        first = await queued(gate)
        loop.now += 0.7
        second = await queued(gate)
        loop.now += 0.2
        assert await first == "waited_too_long"
        loop.now += 0.2
        assert await refused_after(gate, 0.2)
        loop.now += 0.2
        assert await second == "waited_too_long"
        assert gate.waiting == 0
        assert await refused_after(gate, 0.8)

    try:
        loop.run_until_complete(work())
    finally:
        loop.close()


def test_one_who_goes_away_while_waiting_takes_no_place() -> None:
    """Neither before its turn nor at the very moment of it."""

    async def work(gate: Gate) -> None:
        assert gate.enter_at_once()
        gone = await queued(gate)
        gone.cancel()
        await asyncio.wait([gone])
        assert gate.waiting == 0
        at_its_turn = await queued(gate)
        gate.leave()
        at_its_turn.cancel()
        await asyncio.wait([at_its_turn])
        assert at_its_turn.cancelled()
        assert gate.enter_at_once()
        assert not gate.enter_at_once()

    run(work, RequestLimits(running=1, waiting=2, wait_seconds=30))


def test_limits_come_from_the_environment_or_are_the_services_own() -> None:
    """Zero running means no limit."""
    assert LIMITS.of({}) == LIMITS
    environ = {"MAX_REQUESTS": "0", "MAX_QUEUED_REQUESTS": "7", "MAX_QUEUE_SECONDS": "0.5"}
    assert LIMITS.of(environ) == RequestLimits(0, 7, 0.5)
    assert NO_LIMITS.running == 0


@pytest.mark.parametrize(
    ("name", "value"), [("MAX_REQUESTS", "-1"), ("MAX_QUEUED_REQUESTS", "many"), ("MAX_QUEUE_SECONDS", "0")]
)
def test_a_limit_that_cannot_be_used_is_named(name: str, value: str) -> None:
    """With what is allowed and what to do."""
    with pytest.raises(ValueError, match=rf"{name} must be a number from .*{value}.*correct it in .env"):
        LIMITS.of({name: value})
