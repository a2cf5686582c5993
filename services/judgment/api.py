"""The routes of judgment: parse, execute, respond."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.judgment.catalogue import TENANTS, WORKFLOWS
from services.judgment.documents import (
    ExecuteAnswer,
    ExecuteRequest,
    ExecutionList,
    ExecutionRecord,
    WorkflowInfo,
    WorkflowList,
)
from services.judgment.domain import (
    BadInputError,
    ExecutionFailedError,
    Filter,
    Method,
    Order,
    Status,
    StoreUnavailableError,
    Tenant,
)
from services.judgment.engine import Engine
from services.judgment.ports import Store
from services.judgment.rules import Workflow, normalise
from telemetry.errors import ClientError, ServiceError, Unavailable
from telemetry.logs import bind

LARGEST_BODY_BYTES = 65_536
RETRY_AFTER_SECONDS = 2
NEEDED = {"store_unavailable": "the database", "llm_failed": "the language model"}
REQUEST_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": ExecuteRequest.model_json_schema()}},
    }
}


def routes(engine: Engine, store: Store) -> APIRouter:
    """All routes below /api/v1."""
    router = APIRouter(prefix="/api/v1")

    @router.post("/judgment/execute", openapi_extra=REQUEST_SCHEMA)
    async def execute(request: Request) -> ExecuteAnswer:
        """Judge one case; 200 means that the execution is committed."""
        order = _order(await request.body())
        with bind(tenant_id=order.tenant.id):
            try:
                return ExecuteAnswer.of(await engine.execute(order))
            except ExecutionFailedError as error:
                raise _refusal(error) from error

    @router.get("/judgment/executions/{execution_id}")
    async def execution(execution_id: str) -> ExecutionRecord:
        """One execution, failed or not."""
        try:
            known = str(uuid.UUID(execution_id))
            found = await store.get(known)
        except ValueError:
            found = None
        except StoreUnavailableError as error:
            raise Unavailable("the database", retry_after=RETRY_AFTER_SECONDS) from error
        if found is None:
            raise ClientError(404, "unknown_execution", f"no execution {execution_id[:64]!r}")
        return ExecutionRecord.of(found)

    @router.get("/judgment/executions")
    async def executions(
        tenant_id: str | None = None,
        workflow_id: str | None = None,
        status: Status | None = None,
        method: Method | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ExecutionList:
        """The newest executions that match all that is given."""
        if tenant_id is not None:
            _tenant(tenant_id)
        if workflow_id is not None:
            _workflow(workflow_id)
        try:
            found = await store.find(Filter(tenant_id, workflow_id, status, method, limit))
        except StoreUnavailableError as error:
            raise Unavailable("the database", retry_after=RETRY_AFTER_SECONDS) from error
        return ExecutionList(executions=[ExecutionRecord.of(each) for each in found])

    @router.get("/workflows")
    async def workflows() -> WorkflowList:
        """The workflows with their fields, and the tenants."""
        known = [WorkflowInfo.of(workflow) for workflow in WORKFLOWS.values()]
        return WorkflowList(workflows=known, tenants=list(TENANTS))

    return router


def _refusal(error: ExecutionFailedError) -> ServiceError:
    """The answer to an execution that failed by our own fault; it is already logged and counted."""
    if error.failure in NEEDED:
        return Unavailable(NEEDED[error.failure], retry_after=RETRY_AFTER_SECONDS)
    return ServiceError(500, "execution_failed", str(error))


def _order(body: bytes) -> Order:
    try:
        asked = ExecuteRequest.parse(body)
        tenant, workflow = _tenant(asked.tenant_id), _workflow(asked.workflow_id)
        return Order(tenant, workflow.id, asked.policy, normalise(asked.input, workflow), asked.use_cache)
    except BadInputError as error:
        raise ClientError(422, "bad_input", str(error)) from error


def _tenant(tenant_id: str) -> Tenant:
    """The tenant; the set is closed because tenant_id is a metric label."""
    tenant = TENANTS.get(tenant_id)
    if tenant is None:
        raise ClientError(404, "unknown_tenant", f"no tenant {tenant_id[:64]!r}; known: {', '.join(TENANTS)}")
    return tenant


def _workflow(workflow_id: str) -> Workflow:
    workflow = WORKFLOWS.get(workflow_id)
    if workflow is None:
        known = ", ".join(WORKFLOWS)
        raise ClientError(404, "unknown_workflow", f"no workflow {workflow_id[:64]!r}; known: {known}")
    return workflow
