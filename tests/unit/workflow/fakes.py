"""Hand-written stand-ins for what workflow needs of the world."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.workflow.domain import (
    Case,
    Census,
    Claim,
    Filter,
    Instance,
    InstanceEnded,
    LeaseLostError,
    NewInstance,
    NodeState,
    Status,
    StoreUnavailableError,
)
from services.workflow.ports import Task

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
APPROVED: Case = {"verdict": "approved", "confidence": 0.9}


@dataclass
class Clock:
    """Seconds that pass when told, or while somebody naps."""

    seconds: float = 0.0
    naps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        """The seconds so far."""
        return self.seconds

    def now(self) -> datetime:
        """The same as a time."""
        return START + timedelta(seconds=self.seconds)

    async def nap(self, seconds: float) -> None:
        """Sleep not at all."""
        self.naps.append(seconds)
        self.seconds += seconds


@dataclass
class FakePeer:
    """Gives the answers in order, the last one for ever; an exception among them is raised."""

    answers: list[Case | Exception] = field(default_factory=lambda: [APPROVED])
    tasks: list[Task] = field(default_factory=list)
    hangs: bool = False

    async def perform(self, task: Task) -> Case:
        """The next answer."""
        self.tasks.append(task)
        if self.hangs:
            await asyncio.Event().wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class FakeLedger:
    """A dictionary of references, or out of order while `broken`."""

    kept: dict[str, str] = field(default_factory=dict)
    broken: bool = False

    async def enter(self, key: str, *, partner: str, operation: str, reference: str) -> str:
        """The first reference under this key."""
        if self.broken:
            raise StoreUnavailableError("ConnectionRefusedError")
        return self.kept.setdefault(key, reference)


@dataclass
class FakeSwitch:
    """The faults that are set, by name."""

    set: dict[str, Mapping[str, float | int | str]] = field(default_factory=dict)

    def active(self, name: str) -> Mapping[str, float | int | str] | None:
        """The parameters, or None."""
        return self.set.get(name)


@dataclass
class FakeStore:
    """One process's instances in a dictionary; `lost` leases are refused, `failures` come first."""

    kept: dict[str, Instance] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    paused: list[float] = field(default_factory=list)
    timers: set[str] = field(default_factory=set)
    saves: int = 0
    looks: int = 0
    lost: bool = False
    failures: int = 0

    def _check(self) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise StoreUnavailableError("ConnectionRefusedError")
        if self.lost:
            raise LeaseLostError("no longer ours")

    async def create(self, new: NewInstance) -> Instance:
        """Keep it."""
        self._check()
        made = Instance(
            id=new.id,
            tenant_id=new.tenant_id,
            workflow_id=new.workflow_id,
            status=Status.WAITING,
            case=new.case,
            created_at=START,
            due_at=START,
            traceparent=new.traceparent,
        )
        self.kept[new.id] = made
        return made

    async def get(self, instance_id: str) -> Instance | None:
        """What was kept."""
        self._check()
        self.looks += 1
        return self.kept.get(instance_id)

    async def find(self, wanted: Filter) -> Sequence[Instance]:
        """The newest, whatever their status."""
        self._check()
        return list(self.kept.values())[::-1][: wanted.limit]

    async def claim(self, owner: str, *, limit: int, lease_seconds: float) -> Sequence[Claim]:
        """All that wait for a worker; a timer is never due here."""
        self._check()
        waiting = [one for one in self.kept.values() if one.status is Status.WAITING]
        return [self.take(one) for one in waiting if one.id not in self.timers][:limit]

    def take(self, instance: Instance, *, now: datetime = START) -> Claim:
        """A claim of one instance."""
        epoch = self.epochs[instance.id] = self.epochs.get(instance.id, 0) + 1
        running = self.kept[instance.id] = replace(instance, status=Status.RUNNING)
        return Claim(running, epoch, now)

    async def renew(self, claims: Sequence[Claim], *, lease_seconds: float) -> None:
        """Nothing runs out here."""
        self._check()

    async def save(
        self, claim: Claim, nodes: Sequence[NodeState], *, lease_seconds: float, run: str | None
    ) -> None:
        """Keep the nodes."""
        self._check()
        self.saves += 1
        self._keep(claim, nodes)

    async def pause(self, claim: Claim, *, seconds: float) -> None:
        """Let it wait."""
        self._check()
        self.paused.append(seconds)
        self.timers.add(claim.instance.id)
        found = self.kept[claim.instance.id]
        self.kept[claim.instance.id] = replace(found, status=Status.WAITING)

    async def finish(
        self, claim: Claim, status: Status, *, failure: str | None, nodes: Sequence[NodeState]
    ) -> InstanceEnded:
        """End it."""
        self._check()
        self._keep(claim, nodes)
        found = replace(self.kept[claim.instance.id], status=status, failure=failure, ended_at=START)
        self.kept[found.id] = found
        return InstanceEnded(found, status, 1.5, failure, claim.epoch)

    async def census(self) -> Census:
        """All that wait."""
        self._check()
        return Census({}, 0)

    def _keep(self, claim: Claim, nodes: Sequence[NodeState]) -> None:
        found = self.kept[claim.instance.id]
        states = {state.node_id: state for state in (*found.nodes, *nodes)}
        self.kept[found.id] = replace(found, nodes=tuple(states.values()))
