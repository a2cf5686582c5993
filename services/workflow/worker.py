"""The work of one node: attempts with a deadline each, retries with back-off, its breaker, its fallback."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.workflow.domain import (
    Case,
    Instance,
    NodeFailed,
    NodeRetried,
    NodeState,
    NodeStatus,
    NodeType,
    PeerFailedError,
)
from services.workflow.graph import Node
from services.workflow.ports import Guard, Peer, Task
from services.workflow.signals import Signals


@dataclass(frozen=True)
class Patience:
    """How often a node is tried, and how long is waited before the next attempt, in seconds."""

    attempts: int = 3
    first_pause: float = 0.2
    longest_pause: float = 2.0

    def pause(self, attempt: int, chance: random.Random) -> float:
        """Doubled with each attempt, and by chance as little as half of it: many must not come at once."""
        ceiling = min(self.longest_pause, self.first_pause * 2.0 ** (attempt - 1))
        return ceiling * chance.uniform(0.5, 1.0)


class Worker:
    """Has nodes done by their peers; a node ends as done or as failed, never with an exception of a peer."""

    def __init__(
        self,
        signals: Signals,
        peers: Mapping[NodeType, Peer],
        breakers: Mapping[str, Guard],
        *,
        limits: Mapping[NodeType, float],
        patience: Patience,
        chance: random.Random,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._signals = signals
        self._peers, self._breakers = peers, breakers
        self._limits, self._patience = limits, patience
        self._chance, self._pause = chance, pause

    async def work(
        self, instance: Instance, node: Node, state: NodeState, *, now: Callable[[], datetime]
    ) -> NodeState:
        """The node's state in the end; raises StoreUnavailableError when the partners' books do."""
        attempt = 0
        while True:
            attempt += 1
            state = replace(state, attempts=state.attempts + 1)
            try:
                result = await self._attempt(Task(instance, node, state.attempts, instance.key(node.id)))
                return state.ended(NodeStatus.DONE, now(), result)
            except PeerFailedError as error:
                if not error.retry or attempt >= self._patience.attempts:
                    return self._give_up(instance, node, replace(state, failure=error.reason), now())
                seconds = self._patience.pause(attempt, self._chance)
                self._signals.record(NodeRetried(instance, node.id, state.attempts, error.reason, seconds))
                await self._pause(seconds)

    async def _attempt(self, task: Task) -> Case:
        with self._signals.attempt(task.instance, task.node, task.attempt) as current:
            try:
                result = await self._guarded(task)
            except PeerFailedError as error:
                current.set("result", "error" if error.retry or error.healthy else "refused")
                current.error(error.reason)
                raise
            current.set("result", "ok")
            return result

    async def _guarded(self, task: Task) -> Case:
        """One attempt, of which the node's breaker hears how it ended."""
        breaker = self._breakers[task.node.id]
        ticket = breaker.admit()
        if ticket is None:
            raise PeerFailedError("circuit breaker open", retry=False)
        try:
            result = await self._in_time(task)
        except PeerFailedError as error:
            if error.healthy:
                breaker.succeeded(ticket)
            else:
                breaker.failed(ticket, error.reason)
            raise
        except BaseException:  # not the peer's doing: cancelled, or our own database
            breaker.abandoned(ticket)
            raise
        breaker.succeeded(ticket)
        return result

    async def _in_time(self, task: Task) -> Case:
        seconds = self._limits[task.node.type]
        try:
            async with asyncio.timeout(seconds):
                return await self._peers[task.node.type].perform(task)
        except TimeoutError as error:
            raise PeerFailedError(f"no answer within {seconds:g} s") from error

    def _give_up(self, instance: Instance, node: Node, state: NodeState, now: datetime) -> NodeState:
        reason, saved = state.failure or "", node.fallback is not None
        self._signals.record(NodeFailed(instance, node.id, node.type, state.attempts, reason, saved))
        if saved:
            return replace(state.ended(NodeStatus.DONE, now, node.fallback), fallback=True)
        return state.ended(NodeStatus.FAILED, now)
