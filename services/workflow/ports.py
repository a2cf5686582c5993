"""What the engine needs of the world; adapters fulfil it, faults wrap it, tests fake it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.workflow.domain import (
    Case,
    Census,
    Claim,
    Filter,
    Instance,
    InstanceEnded,
    NewInstance,
    NodeState,
    Status,
)
from services.workflow.graph import Node


@dataclass(frozen=True)
class Task:
    """One attempt of a node; every attempt of it carries the same `key`, so that its effect happens once."""

    instance: Instance
    node: Node
    attempt: int
    key: str


class Peer(Protocol):
    """Whoever does the work of judge or of call nodes."""

    async def perform(self, task: Task) -> Case:
        """The result; raises PeerFailedError. The caller sets the deadline."""


class Ledger(Protocol):
    """The books of the partners: what was done under which key."""

    async def enter(self, key: str, *, partner: str, operation: str, reference: str) -> str:
        """The reference under which it was first done, now or before; raises StoreUnavailableError."""


class Store(Protocol):
    """Instances kept for good. Every method raises StoreUnavailableError."""

    async def create(self, new: NewInstance) -> Instance:
        """The instance, accepted and committed; it is due at once."""

    async def get(self, instance_id: str) -> Instance | None:
        """The instance with its nodes, or None."""

    async def find(self, wanted: Filter) -> Sequence[Instance]:
        """The newest instances that match, without nodes."""

    async def claim(self, owner: str, *, limit: int, lease_seconds: float) -> Sequence[Claim]:
        """Instances that are due, those whose lease has run out among them; nobody else gets them."""

    async def renew(self, claims: Sequence[Claim], *, lease_seconds: float) -> None:
        """Prolong the leases that are still ours."""

    async def save(
        self, claim: Claim, nodes: Sequence[NodeState], *, lease_seconds: float, run: str | None
    ) -> None:
        """Keep nodes and prolong the lease; `run` is the traceparent of the run; raises LeaseLostError."""

    async def pause(self, claim: Claim, *, seconds: float) -> None:
        """Let go of the instance, to be looked at after `seconds`; raises LeaseLostError."""

    async def finish(
        self, claim: Claim, status: Status, *, failure: str | None, nodes: Sequence[NodeState]
    ) -> InstanceEnded:
        """Commit the end; raises LeaseLostError unless it is this claim that ended the instance.

        May be repeated with the same claim when the answer was lost.
        """

    async def census(self) -> Census:
        """What is active now."""


class Guard(Protocol):
    """A breaker as those see it whom it lets through or not; see breaker.Breaker."""

    def admit(self) -> int | None:
        """A ticket to make an attempt with, or None."""

    def succeeded(self, ticket: int) -> None:
        """The attempt reached a peer that works."""

    def failed(self, ticket: int, reason: str) -> None:
        """The attempt did not."""

    def abandoned(self, ticket: int) -> None:
        """The attempt was given up by us."""
