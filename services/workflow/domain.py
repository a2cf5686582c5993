"""The values of workflow, the events that tell of it, and what can go wrong.

WorkflowError
├── BadInputError          the caller's instance cannot be started: HTTP 422
├── StoreUnavailableError  the database refused, failed or took too long
├── LeaseLostError         somebody else works on the instance by now: let go of it
└── PeerFailedError        an attempt of a node failed
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

Value = float | str | bool
Case = Mapping[str, Value]

# Any fixed value; the same node of the same instance has the same key in every process and at every attempt.
KEYS = UUID("6f1d0d4e-2f0a-4b5e-9a57-5d0c7c1f6a10")


class WorkflowError(Exception):
    """Anything that workflow can say went wrong."""


class BadInputError(WorkflowError):
    """The instance cannot be started as it was sent."""


class StoreUnavailableError(WorkflowError):
    """The database refused, failed or took too long."""


class LeaseLostError(WorkflowError):
    """The instance was taken over, or is over: whoever held it must write nothing more."""


class PeerFailedError(WorkflowError):
    """An attempt failed; `retry`: another may succeed; `healthy`: the peer works, it refused this one."""

    def __init__(self, reason: str, *, retry: bool = True, healthy: bool = False) -> None:
        self.reason, self.retry, self.healthy = reason, retry, healthy
        super().__init__(reason)


class NodeType(StrEnum):
    """What a node does."""

    JUDGE = "judge"
    CALL = "call"
    WAIT = "wait"
    BRANCH = "branch"


class Status(StrEnum):
    """Where an instance is; `waiting` is for a timer or for a free worker."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


ACTIVE = (Status.RUNNING, Status.WAITING)
ENDED = (Status.COMPLETED, Status.FAILED)


class NodeStatus(StrEnum):
    """Where a node is; one that was not reached yet has no state at all."""

    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


SETTLED = frozenset((NodeStatus.DONE, NodeStatus.FAILED, NodeStatus.SKIPPED))


class BreakerState(StrEnum):
    """Whether a node's attempts are let through: all, none, or one trial."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class NodeState:
    """One node of one instance; `fallback`: the result is not the peer's; times in UTC."""

    node_id: str
    type: NodeType
    status: NodeStatus
    started_at: datetime
    attempts: int = 0
    result: Case | None = None
    failure: str | None = None
    fallback: bool = False
    due_at: datetime | None = None
    ended_at: datetime | None = None

    def ended(self, status: NodeStatus, at: datetime, result: Case | None = None) -> "NodeState":
        """The same node, settled."""
        return replace(self, status=status, ended_at=at, result=result)


@dataclass(frozen=True)
class Instance:
    """One run of a workflow; `due_at` is when somebody looks at it next; times in UTC."""

    id: str
    tenant_id: str
    workflow_id: str
    status: Status
    case: Case
    created_at: datetime
    due_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    failure: str | None = None
    takeovers: int = 0
    traceparent: str | None = None
    last_run: str | None = None
    nodes: tuple[NodeState, ...] = ()

    def key(self, node_id: str) -> str:
        """The idempotency key of a node's effect."""
        return key_of(self.id, node_id)


def key_of(instance_id: str, node_id: str) -> str:
    """See Instance.key."""
    return str(uuid5(KEYS, f"{instance_id}/{node_id}"))


@dataclass(frozen=True)
class NewInstance:
    """What a caller asks for, checked; `traceparent` of the request that asked."""

    id: str
    tenant_id: str
    workflow_id: str
    case: Case
    traceparent: str | None = None


@dataclass(frozen=True)
class Claim:
    """An instance that this process works on until its lease ends; `now` is the database's time.

    `epoch` grows with each claim: what is written with an older one is refused.
    """

    instance: Instance
    epoch: int
    now: datetime
    taken_over: bool = False


@dataclass(frozen=True)
class Filter:
    """Which instances to list, newest first; None means any."""

    tenant_id: str | None = None
    workflow_id: str | None = None
    status: Status | None = None
    limit: int = 50


@dataclass(frozen=True)
class Census:
    """How many instances are active by tenant, workflow and status, and how many of them want a worker."""

    active: Mapping[tuple[str, str, str], int]
    backlog: int


@dataclass(frozen=True)
class InstanceEnded:
    """An instance came to its end, `seconds` after it was accepted."""

    instance: Instance
    status: Status
    seconds: float
    failure: str | None
    epoch: int


@dataclass(frozen=True)
class InstanceInterrupted:
    """This process could not go on with an instance; its lease will end and somebody takes it over."""

    instance: Instance
    reason: str


@dataclass(frozen=True)
class InstanceTakenOver:
    """Whoever worked on the instance did not renew its lease."""

    instance: Instance


@dataclass(frozen=True)
class NodeRetried:
    """An attempt failed and is made again after `pause` seconds."""

    instance: Instance
    node_id: str
    attempt: int
    reason: str
    pause: float


@dataclass(frozen=True)
class NodeFailed:
    """A node has no result of its peer; `fallback`: the instance goes on with a given one."""

    instance: Instance
    node_id: str
    type: NodeType
    attempts: int
    reason: str
    fallback: bool


@dataclass(frozen=True)
class BreakerMoved:
    """A node's breaker changed its state, for `reason`."""

    node_id: str
    before: BreakerState
    after: BreakerState
    reason: str


Event = InstanceEnded | InstanceInterrupted | InstanceTakenOver | NodeRetried | NodeFailed | BreakerMoved
