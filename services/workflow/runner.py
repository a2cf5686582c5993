"""What this process does without being asked: takes due instances, keeps leases, counts what is active."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

from services.workflow.domain import (
    ENDED,
    Census,
    Claim,
    Instance,
    LeaseLostError,
    StoreUnavailableError,
)
from services.workflow.engine import Engine
from services.workflow.ports import Store
from services.workflow.signals import Signals
from services.workflow.tracing import suppress_instrumentation

POLL_SECONDS = 0.5  # how late a lost instance, or one that another replica accepted, may be found
CENSUS_SECONDS = 1.0
DRAIN_SECONDS = 3.0
LOOK_SECONDS = 0.5  # how often a caller who waits looks for an end that another replica committed


class Runner:
    """Works on at most `max_running` instances at once; `max_queued` more may wait for a worker."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        signals: Signals,
        *,
        max_running: int,
        max_queued: int,
        lease_seconds: float,
    ) -> None:
        self._engine, self._store, self._signals = engine, store, signals
        self._owner = uuid.uuid4().hex
        self._max_running, self._max_queued = max_running, max_queued
        self._lease = lease_seconds
        self._runs: dict[asyncio.Task[None], Claim] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._backlog = 0
        self._waiting: dict[str, asyncio.Event] = {}

    def start(self) -> None:
        """Begin, on the running loop."""
        loops = (
            ("claim", self._claim, None),
            ("renew", self._renew, self._lease / 3),
            ("census", self._take_census, CENSUS_SECONDS),
        )
        self._loops = [asyncio.create_task(self._repeat(*loop)) for loop in loops]

    async def stop(self) -> None:
        """Take nothing new, give the runs a moment, then hand the rest back for others to take at once."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._runs:
            await asyncio.wait(self._runs, timeout=DRAIN_SECONDS)
        left = dict(self._runs)
        for run in left:
            run.cancel()
        if left:
            await asyncio.wait(left)
        for claim in left.values():
            with suppress(LeaseLostError, StoreUnavailableError):
                await self._store.pause(claim, seconds=0.0)

    def accepted(self) -> None:
        """An instance was accepted: look for it now, and count it until the next census does."""
        self._backlog += 1
        self._wake.set()

    @property
    def full(self) -> bool:
        """Whether so many instances want a worker that another one would wait too long."""
        return self._backlog >= self._max_queued

    async def end_of(self, instance_id: str, *, seconds: float) -> Instance | None:
        """The instance when it has ended or `seconds` are over; raises StoreUnavailableError."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        ended = self._waiting.setdefault(instance_id, asyncio.Event())
        try:
            while True:
                ended.clear()
                with suppress_instrumentation():  # looking again and again would fill the request's trace
                    found = await self._store.get(instance_id)
                left = deadline - loop.time()
                if found is None or found.status in ENDED or left <= 0:
                    return found
                await _heard(ended, min(left, LOOK_SECONDS))
        finally:
            self._waiting.pop(instance_id, None)

    async def _repeat(self, name: str, work: Callable[[], Awaitable[None]], seconds: float | None) -> None:
        """`work` for ever, whatever happens to it; without `seconds` it waits by itself."""
        while True:
            try:
                with suppress_instrumentation():  # or each look for work would be a trace of its own
                    await work()
            except StoreUnavailableError as error:
                self._signals.store_unavailable(name, error)
                await asyncio.sleep(POLL_SECONDS)
            except Exception as error:  # the boundary of a loop without which nothing would ever run again
                self._signals.loop_broken(name, error)
                await asyncio.sleep(POLL_SECONDS)
            if seconds is None:
                await _heard(self._wake, POLL_SECONDS)
                self._wake.clear()
            else:
                await asyncio.sleep(seconds)

    async def _claim(self) -> None:
        free = self._max_running - len(self._runs)
        if free <= 0:
            return
        for claim in await self._store.claim(self._owner, limit=free, lease_seconds=self._lease):
            self._backlog = max(0, self._backlog - 1)
            run = asyncio.create_task(self._run(claim))
            self._runs[run] = claim
            run.add_done_callback(self._over)

    async def _run(self, claim: Claim) -> None:
        seconds = await self._engine.run(claim)
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self._wake.set)

    def _over(self, run: asyncio.Task[None]) -> None:
        claim = self._runs.pop(run)
        waiting = self._waiting.get(claim.instance.id)
        if waiting is not None:
            waiting.set()
        self._wake.set()  # a worker is free
        if not run.cancelled() and (error := run.exception()) is not None:
            self._signals.loop_broken("run", RuntimeError(str(error)))

    async def _renew(self) -> None:
        if self._runs:
            await self._store.renew(list(self._runs.values()), lease_seconds=self._lease)

    async def _take_census(self) -> None:
        found: Census = await self._store.census()
        self._backlog = found.backlog
        self._signals.counted(found)


async def _heard(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event for at most `seconds`.

    Not by wait_for: before Python 3.12 it swallows a cancellation that comes together with the event.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
