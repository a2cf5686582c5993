"""The JSON documents that judgment takes and gives."""

from datetime import datetime
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationError

from services.judgment.domain import BadInputError, Execution, Method, Policy, Status, Value, Verdict
from services.judgment.rules import Workflow

Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64)]


class ExecuteRequest(BaseModel):
    """One case to judge; `input` is flat: numbers, texts, true or false by field name."""

    model_config = ConfigDict(extra="forbid")

    workflow_id: Name = Field(examples=["invoice-approval"])
    tenant_id: Name = Field(examples=["acme"])
    policy: Policy = Policy.HYBRID
    input: dict[str, object] = Field(examples=[{"amount": 1250.0, "supplier_risk": 0.2}])
    use_cache: StrictBool = True

    @classmethod
    def parse(cls, body: bytes) -> "ExecuteRequest":
        """The request in `body`; raises BadInputError with the first thing that is wrong."""
        try:
            return cls.model_validate(orjson.loads(body))
        except orjson.JSONDecodeError as error:
            raise BadInputError(f"the body is not JSON: {error.msg}") from None
        except ValidationError as error:
            first = error.errors(include_input=False, include_context=False, include_url=False)[0]
            where = ".".join(str(part)[:64] for part in first["loc"]) or "the body"
            raise BadInputError(f"{where}: {first['msg']}") from None


class Result(BaseModel):
    """What was decided."""

    status: Verdict


class ExecuteAnswer(BaseModel):
    """The answer to one case, given once the execution is committed."""

    execution_id: str
    result: Result
    confidence: float = Field(ge=0, le=1)
    method_used: Method
    execution_time_ms: float
    cached: bool
    trace_id: str | None
    explanation: str

    @classmethod
    def of(cls, execution: Execution) -> "ExecuteAnswer":
        """The answer that tells of a successful execution."""
        if execution.verdict is None or execution.confidence is None:
            raise ValueError(f"execution {execution.id} has no verdict")
        return cls(
            execution_id=execution.id,
            result=Result(status=execution.verdict),
            confidence=execution.confidence,
            method_used=execution.method,
            execution_time_ms=execution.execution_time_ms,
            cached=execution.cached,
            trace_id=execution.trace_id,
            explanation=execution.explanation,
        )


class ExecutionRecord(BaseModel):
    """An execution as it is kept; a failed one has no result."""

    execution_id: str
    tenant_id: str
    workflow_id: str
    policy: Policy
    status: Status
    result: Result | None
    confidence: float | None
    method_used: Method
    execution_time_ms: float
    cached: bool
    trace_id: str | None
    input: dict[str, Value]
    explanation: str
    created_at: datetime

    @classmethod
    def of(cls, execution: Execution) -> "ExecutionRecord":
        """The record of any execution."""
        return cls(
            execution_id=execution.id,
            tenant_id=execution.tenant_id,
            workflow_id=execution.workflow_id,
            policy=execution.policy,
            status=execution.status,
            result=None if execution.verdict is None else Result(status=execution.verdict),
            confidence=execution.confidence,
            method_used=execution.method,
            execution_time_ms=execution.execution_time_ms,
            cached=execution.cached,
            trace_id=execution.trace_id,
            input=dict(execution.case),
            explanation=execution.explanation,
            created_at=execution.created_at,
        )


class ExecutionList(BaseModel):
    """Executions, newest first."""

    executions: list[ExecutionRecord]


class FieldInfo(BaseModel):
    """A field that a workflow's rules look at; `kind` is number, text or flag."""

    name: str
    kind: str
    example: Value
    help: str


class WorkflowInfo(BaseModel):
    """A workflow that cases can be sent to."""

    workflow_id: str
    title: str
    fields: list[FieldInfo]
    rules: list[str]

    @classmethod
    def of(cls, workflow: Workflow) -> "WorkflowInfo":
        """What a caller needs to know of a workflow."""
        return cls(
            workflow_id=workflow.id,
            title=workflow.title,
            fields=[
                FieldInfo(name=f.name, kind=f.kind, example=f.example, help=f.help) for f in workflow.fields
            ],
            rules=[rule.name for rule in workflow.rules],
        )


class WorkflowList(BaseModel):
    """All workflows and the tenants that may use them."""

    workflows: list[WorkflowInfo]
    tenants: list[str]
