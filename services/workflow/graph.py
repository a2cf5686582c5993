"""What a workflow is made of, and what comes next in an instance of it: pure rules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.workflow.domain import SETTLED, Case, NodeState, NodeStatus, NodeType, Status, Value

INPUT = "input"  # as the source of a condition: what the instance was started with


class Operator(StrEnum):
    """How a condition compares."""

    IS = "is"
    AT_LEAST = "at_least"
    LESS = "less"


@dataclass(frozen=True)
class Judge:
    """Ask judgment for a verdict on some fields of the input."""

    workflow_id: str
    fields: tuple[str, ...]
    policy: str = "hybrid"


@dataclass(frozen=True)
class Call:
    """Have a partner do something."""

    partner: str
    operation: str


@dataclass(frozen=True)
class Wait:
    """Let time pass, in seconds; survives restarts."""

    seconds: float


@dataclass(frozen=True)
class Condition:
    """Compares a field of the input, or of an earlier node's result; without that field it does not hold."""

    source: str
    field: str
    operator: Operator
    value: Value

    def holds(self, case: Case, states: Mapping[str, NodeState]) -> bool:
        """Whether it holds for an instance with this input and these states."""
        state = states.get(self.source)
        found = (case if self.source == INPUT else (state.result if state else None) or {}).get(self.field)
        if self.operator is Operator.IS:
            return found == self.value
        if isinstance(found, float) and isinstance(self.value, float):
            return found >= self.value if self.operator is Operator.AT_LEAST else found < self.value
        return False


@dataclass(frozen=True)
class Branch:
    """Pick the choice of the first condition that holds, or `otherwise`."""

    cases: tuple[tuple[str, Condition], ...]
    otherwise: str

    @property
    def choices(self) -> frozenset[str]:
        """All that can be picked."""
        return frozenset((*(choice for choice, _ in self.cases), self.otherwise))

    def pick(self, case: Case, states: Mapping[str, NodeState]) -> str:
        """The choice for an instance."""
        return next((choice for choice, one in self.cases if one.holds(case, states)), self.otherwise)


Step = Judge | Call | Wait | Branch
TYPES: Mapping[type[Step], NodeType] = {
    Judge: NodeType.JUDGE,
    Call: NodeType.CALL,
    Wait: NodeType.WAIT,
    Branch: NodeType.BRANCH,
}


@dataclass(frozen=True)
class After:
    """Comes after a node, or only after one choice of a branch."""

    node_id: str
    choice: str | None = None


@dataclass(frozen=True)
class Node:
    """One step; begins when all before it are settled and at least one of them leads here.

    `fallback` is the result to go on with when the peer gives none; without one the instance fails.
    """

    id: str
    step: Step
    after: tuple[After, ...] = ()
    fallback: Case | None = None

    @property
    def type(self) -> NodeType:
        """What it does."""
        return TYPES[type(self.step)]


@dataclass(frozen=True)
class Field:
    """A field of a workflow's input; `kind` is number, text or flag; left out it is `default`."""

    name: str
    kind: str
    default: Value
    help: str


@dataclass(frozen=True)
class Definition:
    """A workflow: nodes come after those that they depend on, so that there is no cycle."""

    id: str
    title: str
    fields: tuple[Field, ...]
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        """Raise ValueError for what could never run."""
        for problem in _problems(self):
            raise ValueError(f"workflow {self.id}: {problem}")


def _problems(definition: Definition) -> Iterator[str]:
    names = {one.name for one in definition.fields}
    earlier: dict[str, Node] = {}
    for node in definition.nodes:
        if node.id in earlier or node.id == INPUT:
            yield f"node {node.id} is given twice or has a reserved name"
        for after in node.after:
            before = earlier.get(after.node_id)
            choices = before.step.choices if before and isinstance(before.step, Branch) else {None}
            if before is None or after.choice not in choices:
                yield f"node {node.id} comes after {after}, which is not an earlier one"
        if isinstance(node.step, Judge) and not names.issuperset(node.step.fields):
            yield f"node {node.id} judges fields that the input does not have"
        if isinstance(node.step, Branch):
            sources = {condition.source for _, condition in node.step.cases} - {INPUT}
            if not sources <= earlier.keys():
                yield f"node {node.id} looks at {sources}, which are not all earlier nodes"
        earlier[node.id] = node


@dataclass
class Plan:
    """What comes next: states that changed, nodes to have done by peers, and the end or the next timer."""

    changed: list[NodeState] = field(default_factory=list)
    ready: list[Node] = field(default_factory=list)
    outcome: Status | None = None
    failure: str | None = None
    due_at: datetime | None = None


def plan(
    definition: Definition,
    case: Case,
    states: Mapping[str, NodeState],
    *,
    now: datetime,
    busy: frozenset[str] = frozenset(),
) -> Plan:
    """What comes next in an instance; `busy` are the nodes that a peer is at work on right now.

    A node that was begun and is not busy was interrupted: it is ready again, under the same key. After a
    failure nothing new begins; the instance ends when nothing is busy.
    """
    known, result = dict(states), Plan()
    broken = next((one for one in known.values() if one.status is NodeStatus.FAILED), None)
    for node in definition.nodes:
        state = known.get(node.id)
        if state is not None and (state.status in SETTLED or node.id in busy):
            continue
        begun = state or (None if broken else _begin(node, case, known, now))
        if begun is None:
            continue
        if begun.status is NodeStatus.WAITING and begun.due_at is not None and begun.due_at <= now:
            begun = begun.ended(NodeStatus.DONE, now)
        if begun != state:
            result.changed.append(begun)
        known[node.id] = begun
        if begun.status is NodeStatus.RUNNING and not broken:
            result.ready.append(node)
    _conclude(definition, known, result, broken=broken, busy=busy)
    return result


def _conclude(
    definition: Definition,
    known: Mapping[str, NodeState],
    result: Plan,
    *,
    broken: NodeState | None,
    busy: frozenset[str],
) -> None:
    if busy or result.ready:
        pass
    elif broken is not None:
        result.outcome, result.failure = Status.FAILED, f"{broken.node_id}: {broken.failure}"
    elif all(node.id in known and known[node.id].status in SETTLED for node in definition.nodes):
        result.outcome = Status.COMPLETED
    result.due_at = min((one.due_at for one in known.values() if _is_timer(one) and one.due_at), default=None)


def _is_timer(state: NodeState) -> bool:
    return state.status is NodeStatus.WAITING


def _begin(node: Node, case: Case, known: Mapping[str, NodeState], now: datetime) -> NodeState | None:
    """The state that the node enters now, or None while something before it is not settled."""
    before = [known.get(after.node_id) for after in node.after]
    if any(one is None or one.status not in SETTLED for one in before):
        return None
    if node.after and not any(_leads(after, known[after.node_id]) for after in node.after):
        return NodeState(node.id, node.type, NodeStatus.SKIPPED, now, ended_at=now)
    match node.step:
        case Wait(seconds):
            due = now + timedelta(seconds=seconds)
            return NodeState(node.id, node.type, NodeStatus.WAITING, now, due_at=due)
        case Branch() as branch:
            picked = {"choice": branch.pick(case, known)}
            return NodeState(node.id, node.type, NodeStatus.DONE, now, result=picked, ended_at=now)
    return NodeState(node.id, node.type, NodeStatus.RUNNING, now)


def _leads(after: After, before: NodeState) -> bool:
    if before.status is not NodeStatus.DONE:
        return False
    return after.choice is None or (before.result or {}).get("choice") == after.choice
