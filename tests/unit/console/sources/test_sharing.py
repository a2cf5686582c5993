"""Viewers share answers: one asks, all get it, for as long as it lives."""

import asyncio

import pytest

from console.sources import Shared
from console.sources.sharing import KEPT


class Clock:
    """Time by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Question:
    """Counts how often it is asked; answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.let = asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        await self.let.wait()
        return self.asked


def test_many_viewers_ask_once() -> None:
    """Five that ask at the same time cause one question, and again one when the answer is over."""

    async def run() -> None:
        clock, question = Clock(), Question()
        shared = Shared(clock)
        waiting = [asyncio.ensure_future(shared.get("key", 10.0, question)) for _ in range(5)]
        question.let.set()
        assert await asyncio.gather(*waiting) == [1] * 5
        clock.now = 9.9
        assert await shared.get("key", 10.0, question) == 1
        clock.now = 10.0
        assert await shared.get("key", 10.0, question) == 2

    asyncio.run(run())


def test_a_viewer_who_leaves_does_not_take_the_answer_along() -> None:
    """Cancelling one that waits leaves the others their answer."""

    async def run() -> None:
        question = Question()
        shared = Shared(Clock())
        first = asyncio.ensure_future(shared.get("key", 10.0, question))
        second = asyncio.ensure_future(shared.get("key", 10.0, question))
        await asyncio.sleep(0)
        first.cancel()
        question.let.set()
        assert await second == 1

    asyncio.run(run())


def test_a_failure_is_shared_and_forgotten_like_an_answer() -> None:
    """All get the failure; after its time it is asked again."""

    async def run() -> None:
        clock, asked = Clock(), 0

        async def fail() -> int:
            nonlocal asked
            asked += 1
            raise LookupError

        shared = Shared(clock)
        for _ in range(2):
            with pytest.raises(LookupError):
                await shared.get("key", 1.0, fail)
        assert asked == 1
        clock.now = 1.0
        with pytest.raises(LookupError):
            await shared.get("key", 1.0, fail)
        assert asked == 2

    asyncio.run(run())


def test_memory_is_bounded_by_what_is_alive() -> None:
    """What is over is forgotten when many questions were asked."""

    async def run() -> None:
        clock = Clock()
        shared = Shared(clock)

        async def answer() -> int:
            return 1

        for number in range(KEPT):
            await shared.get(number, 1.0, answer)
        clock.now = 2.0
        await shared.get("one more", 1.0, answer)
        assert len(shared._kept) == 1

    asyncio.run(run())
