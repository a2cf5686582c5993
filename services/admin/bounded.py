"""Gives up on a store that does not answer in time."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from services.admin.domain import Accepted, Case, Delivery, Kept, Kind, Overview, Review, Waiting
from services.admin.ports import Filter, Progress, ReviewStore, StoreUnavailableError
from services.admin.store import CALL_SECONDS, PREPARE_SECONDS

T = TypeVar("T")


class BoundedStore:
    """The inner store under a limit, without waiting for the driver to close a connection that hangs."""

    def __init__(self, inner: ReviewStore, *, call_seconds: float = CALL_SECONDS) -> None:
        self._inner, self._limit = inner, call_seconds
        self._given_up: set[asyncio.Task[Any]] = set()

    async def prepare(self) -> None:
        """With a limit of its own: another worker may hold the lock."""
        await self._within(PREPARE_SECONDS, self._inner.prepare())

    async def check(self) -> None:
        """As the inner store."""
        await self._within(self._limit, self._inner.check())

    async def progress(self) -> Progress:
        """As the inner store."""
        return await self._within(self._limit, self._inner.progress())

    async def take_in(self, cases: Sequence[Case], *, held_until: datetime | None) -> Mapping[Kind, int]:
        """As the inner store; a round may bring thousands of cases, and nobody waits for it."""
        return await self._within(PREPARE_SECONDS, self._inner.take_in(cases, held_until=held_until))

    async def queue(self, *, kind: Kind | None, limit: int) -> Sequence[Waiting]:
        """As the inner store."""
        return await self._within(self._limit, self._inner.queue(kind=kind, limit=limit))

    async def accept(self, review: Review) -> Accepted:
        """As the inner store; given up, the review may be kept or not, and the reviewer's retry finds out."""
        return await self._within(self._limit, self._inner.accept(review))

    async def find(self, transaction_id: str) -> Kept | None:
        """As the inner store."""
        return await self._within(self._limit, self._inner.find(transaction_id))

    async def reviews(self, wanted: Filter) -> Sequence[Kept]:
        """As the inner store."""
        return await self._within(self._limit, self._inner.reviews(wanted))

    async def claim(self, *, limit: int, lease_seconds: float) -> Sequence[Kept]:
        """As the inner store."""
        return await self._within(self._limit, self._inner.claim(limit=limit, lease_seconds=lease_seconds))

    async def settle(self, transaction_id: str, delivery: Delivery) -> None:
        """As the inner store; given up, the review is delivered once more, which fds takes as once."""
        await self._within(self._limit, self._inner.settle(transaction_id, delivery))

    async def postpone(self, transaction_ids: Sequence[str], *, seconds: float) -> None:
        """As the inner store."""
        await self._within(self._limit, self._inner.postpone(transaction_ids, seconds=seconds))

    async def overview(self) -> Overview:
        """As the inner store."""
        return await self._within(self._limit, self._inner.overview())

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """As the inner store."""
        return await self._within(self._limit, self._inner.counts())

    async def _within(self, seconds: float, call: Coroutine[Any, Any, T]) -> T:
        # asyncio.timeout would wait until the driver has closed a connection whose peer says nothing.
        task = asyncio.create_task(call)
        try:
            done, _ = await asyncio.wait((task,), timeout=seconds)
        finally:
            if not task.done():
                task.cancel()
                self._given_up.add(task)
                task.add_done_callback(self._forget)
        if not done:
            raise StoreUnavailableError(f"no answer within {seconds:g} s")
        return task.result()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._given_up.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains about it
