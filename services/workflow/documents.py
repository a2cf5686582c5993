"""The JSON documents that workflow takes and gives."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.workflow.domain import BadInputError, Instance, NodeState, NodeType, Status, Value
from services.workflow.graph import Branch, Call, Definition, Judge, Node, Wait

Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64)]


class StartRequest(BaseModel):
    """An instance to start; `input` is flat, and what is left out takes the workflow's default."""

    model_config = ConfigDict(extra="forbid")

    tenant_id: Name = Field(examples=["acme"])
    input: dict[str, object] = Field(default_factory=dict, examples=[{"score": 700, "value": 900.0}])

    @classmethod
    def parse(cls, body: bytes) -> "StartRequest":
        """The request in `body`; raises BadInputError with the first thing that is wrong."""
        try:
            return cls.model_validate(orjson.loads(body))
        except orjson.JSONDecodeError as error:
            raise BadInputError(f"the body is not JSON: {error.msg}") from None
        except ValidationError as error:
            first = error.errors(include_input=False, include_context=False, include_url=False)[0]
            where = ".".join(str(part)[:64] for part in first["loc"]) or "the body"
            raise BadInputError(f"{where}: {first['msg']}") from None


class NodeRecord(BaseModel):
    """A node of an instance; status is pending (not reached), running, waiting, done, failed or skipped."""

    node_id: str
    type: NodeType
    status: str
    attempts: int = 0
    result: dict[str, Value] | None = None
    failure: str | None = None
    fallback: bool = False
    started_at: datetime | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None

    @classmethod
    def of(cls, node: Node, state: NodeState | None) -> "NodeRecord":
        """The record of a node in the state in which an instance has it."""
        if state is None:
            return cls(node_id=node.id, type=node.type, status="pending")
        return cls(
            node_id=node.id,
            type=node.type,
            status=state.status,
            attempts=state.attempts,
            result=None if state.result is None else dict(state.result),
            failure=state.failure,
            fallback=state.fallback,
            started_at=state.started_at,
            due_at=state.due_at,
            ended_at=state.ended_at,
        )


class InstanceRecord(BaseModel):
    """An instance as it is kept."""

    instance_id: str
    tenant_id: str
    workflow_id: str
    status: Status
    input: dict[str, Value]
    failure: str | None
    takeovers: int
    trace_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None

    @classmethod
    def of(cls, instance: Instance) -> "InstanceRecord":
        """The record of an instance."""
        over = instance.ended_at is not None
        trace = (instance.traceparent or "").split("-")
        return cls(
            instance_id=instance.id,
            tenant_id=instance.tenant_id,
            workflow_id=instance.workflow_id,
            status=instance.status,
            input=dict(instance.case),
            failure=instance.failure,
            takeovers=instance.takeovers,
            trace_id=trace[1] if len(trace) == 4 else None,
            created_at=instance.created_at,
            started_at=instance.started_at,
            ended_at=instance.ended_at,
            due_at=None if over else instance.due_at,
        )


class InstanceDetail(InstanceRecord):
    """An instance with its nodes, in the order of the workflow."""

    nodes: list[NodeRecord]

    @classmethod
    def with_nodes(cls, instance: Instance, definition: Definition | None) -> "InstanceDetail":
        """The record of an instance and what became of each node."""
        states = {state.node_id: state for state in instance.nodes}
        known = definition.nodes if definition else ()
        nodes = [NodeRecord.of(node, states.get(node.id)) for node in known]
        return cls(**InstanceRecord.of(instance).model_dump(), nodes=nodes)


class StartAnswer(BaseModel):
    """What became of a request to start: 202 accepted and committed, 200 when it was waited for and ended."""

    instance_id: str
    workflow_id: str
    status: Status
    failure: str | None = None
    trace_id: str | None = None
    location: str

    @classmethod
    def of(cls, instance: Instance, location: str) -> "StartAnswer":
        """The answer that tells of an instance."""
        record = InstanceRecord.of(instance)
        return cls(
            instance_id=record.instance_id,
            workflow_id=record.workflow_id,
            status=record.status,
            failure=record.failure,
            trace_id=record.trace_id,
            location=location,
        )


class InstanceList(BaseModel):
    """Instances, newest first, without their nodes."""

    instances: list[InstanceRecord]


class FieldInfo(BaseModel):
    """A field of a workflow's input; `kind` is number, text or flag."""

    name: str
    kind: str
    default: Value
    help: str


class NodeInfo(BaseModel):
    """A node of a workflow; `after` are nodes, or choices of a branch as node:choice."""

    node_id: str
    type: NodeType
    after: list[str]
    does: str
    fallback: dict[str, Value] | None

    @classmethod
    def of(cls, node: Node) -> "NodeInfo":
        """What a caller may know of a node."""
        return cls(
            node_id=node.id,
            type=node.type,
            after=[f"{one.node_id}:{one.choice}" if one.choice else one.node_id for one in node.after],
            does=_does(node),
            fallback=None if node.fallback is None else dict(node.fallback),
        )


def _does(node: Node) -> str:
    match node.step:
        case Judge(workflow_id, _, policy):
            return f"judgment decides {workflow_id} by policy {policy}"
        case Call(partner, operation):
            return f"{partner}: {operation}"
        case Wait(seconds):
            return f"{seconds:g} s"
        case Branch() as branch:
            return f"one of {', '.join(sorted(branch.choices))}"


class WorkflowInfo(BaseModel):
    """A workflow that instances can be started of."""

    workflow_id: str
    title: str
    fields: list[FieldInfo]
    nodes: list[NodeInfo]

    @classmethod
    def of(cls, definition: Definition) -> "WorkflowInfo":
        """What a caller needs to know of a workflow."""
        fields = [
            FieldInfo(name=one.name, kind=one.kind, default=one.default, help=one.help)
            for one in definition.fields
        ]
        nodes = [NodeInfo.of(node) for node in definition.nodes]
        return cls(workflow_id=definition.id, title=definition.title, fields=fields, nodes=nodes)


class WorkflowList(BaseModel):
    """All workflows and the tenants that may use them."""

    workflows: list[WorkflowInfo]
    tenants: list[str]

    @classmethod
    def of(cls, definitions: Mapping[str, Definition], tenants: tuple[str, ...]) -> "WorkflowList":
        """All that is known."""
        return cls(workflows=[WorkflowInfo.of(one) for one in definitions.values()], tenants=list(tenants))
