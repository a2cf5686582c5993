"""The course of one instance while this process holds it: plan, keep, have nodes done, end or let go."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from services.workflow.domain import (
    Claim,
    InstanceEnded,
    InstanceInterrupted,
    InstanceTakenOver,
    LeaseLostError,
    NodeState,
    Status,
    StoreUnavailableError,
)
from services.workflow.graph import Definition, Node, Plan, plan
from services.workflow.ports import Store
from services.workflow.signals import Signals
from services.workflow.tracing import current_traceparent, resumed
from services.workflow.worker import Worker
from telemetry.traces import Span

T = TypeVar("T")
MOST_TAKEOVERS = 20  # an instance that ends every process that touches it must not do so for ever
KEEP_ATTEMPTS = 3
KEEP_PAUSE_SECONDS = 0.2


@dataclass
class _Course:
    """What is known of the instance in this run: the claim, node states, and nodes being done by task."""

    claim: Claim
    definition: Definition
    now: Callable[[], datetime]
    states: dict[str, NodeState]
    busy: dict["asyncio.Task[NodeState]", str] = field(default_factory=dict)

    def plan(self) -> Plan:
        """What comes next; what it changes is known from now on."""
        busy = frozenset(self.busy.values())
        found = plan(self.definition, self.claim.instance.case, self.states, now=self.now(), busy=busy)
        self.states.update({state.node_id: state for state in found.changed})
        return found


class Engine:
    """Runs claimed instances; each end is committed once, and counted where it was committed."""

    def __init__(
        self,
        signals: Signals,
        store: Store,
        worker: Worker,
        definitions: Mapping[str, Definition],
        *,
        clock: Callable[[], float],
        lease_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._signals, self._store, self._worker = signals, store, worker
        self._definitions = definitions
        self._clock, self._lease, self._sleep = clock, lease_seconds, sleep

    async def run(self, claim: Claim) -> float | None:
        """Go on with an instance until it ends, waits or is lost; the seconds that it waits, or None."""
        with resumed(claim.instance.traceparent), self._signals.running(claim) as current:
            if claim.taken_over:
                self._signals.record(InstanceTakenOver(claim.instance))
            try:
                outcome = await self._go_on(claim)
            except (LeaseLostError, StoreUnavailableError) as error:
                self._interrupted(claim, error, current)
                return None
            except Exception as error:  # the boundary of a run: logged, and the instance failed for good
                self._signals.unexpected(claim, error)
                try:
                    outcome = await self._finish(claim, Status.FAILED, f"unexpected {type(error).__name__}")
                except (LeaseLostError, StoreUnavailableError) as second:
                    self._interrupted(claim, second, current)
                    return None
            if isinstance(outcome, InstanceEnded):
                current.set("result", str(outcome.status))
                if outcome.failure is not None:
                    current.error(outcome.failure)
                self._signals.record(outcome)
                return None
            current.set("result", "waiting")
            return outcome

    def _interrupted(self, claim: Claim, error: Exception, current: Span) -> None:
        current.set("result", "interrupted")
        self._signals.record(InstanceInterrupted(claim.instance, f"{type(error).__name__}: {error}"))

    async def _go_on(self, claim: Claim) -> InstanceEnded | float:
        instance = claim.instance
        definition = self._definitions.get(instance.workflow_id)
        if definition is None:
            return await self._finish(claim, Status.FAILED, "the workflow is not defined any more")
        if instance.takeovers > MOST_TAKEOVERS:
            return await self._finish(claim, Status.FAILED, f"taken over {instance.takeovers} times")
        began = self._clock()

        def now() -> datetime:
            return claim.now + timedelta(seconds=self._clock() - began)

        course = _Course(claim, definition, now, {state.node_id: state for state in instance.nodes})
        try:
            return await self._advance(course)
        finally:
            await _cancel(course.busy)

    async def _advance(self, course: _Course) -> InstanceEnded | float:
        done: list[NodeState] = []
        while True:
            found = course.plan()
            changed = [*done, *found.changed]
            self._signals.settled(course.claim.instance, found.changed)
            if found.outcome is not None:
                return await self._finish(course.claim, found.outcome, found.failure, changed)
            await self._keep(course.claim, changed)
            for node in found.ready:
                course.busy[self._begin(course, node)] = node.id
            if not course.busy:
                return await self._pause(course, found)
            done = await self._next(course, found.due_at)

    def _begin(self, course: _Course, node: Node) -> "asyncio.Task[NodeState]":
        work = self._worker.work(course.claim.instance, node, course.states[node.id], now=course.now)
        return asyncio.create_task(work)

    async def _next(self, course: _Course, due_at: datetime | None) -> list[NodeState]:
        """The nodes that are done next; none when a timer is due before."""
        seconds = None if due_at is None else max(0.0, (due_at - course.now()).total_seconds())
        finished, _ = await asyncio.wait(course.busy, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        done = [task.result() for task in finished]
        for task in finished:
            del course.busy[task]
        course.states.update({state.node_id: state for state in done})
        return done

    async def _pause(self, course: _Course, found: Plan) -> float:
        seconds = 0.0
        if found.due_at is not None:
            seconds = max(0.0, (found.due_at - course.now()).total_seconds())
        await self._insist(lambda: self._store.pause(course.claim, seconds=seconds))
        return seconds

    async def _keep(self, claim: Claim, nodes: Sequence[NodeState]) -> None:
        run = current_traceparent()
        await self._insist(lambda: self._store.save(claim, nodes, lease_seconds=self._lease, run=run))

    async def _finish(
        self, claim: Claim, status: Status, failure: str | None, nodes: Sequence[NodeState] = ()
    ) -> InstanceEnded:
        return await self._insist(lambda: self._store.finish(claim, status, failure=failure, nodes=nodes))

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Try a few times: all that is kept may be kept twice, and a short outage need not cost the lease."""
        for attempt in range(1, KEEP_ATTEMPTS):
            try:
                return await work()
            except StoreUnavailableError:
                await self._sleep(KEEP_PAUSE_SECONDS * attempt)
        return await work()


async def _cancel(tasks: Mapping["asyncio.Task[NodeState]", str]) -> None:
    """Give up what is still being done; its key keeps a repetition from doing it twice."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at, or asyncio would complain that nobody did
