"""The routes of workflow: parse, accept, respond."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.workflow.catalogue import TENANTS, WORKFLOWS
from services.workflow.documents import (
    InstanceDetail,
    InstanceList,
    InstanceRecord,
    StartAnswer,
    StartRequest,
    WorkflowList,
)
from services.workflow.domain import (
    ENDED,
    BadInputError,
    Filter,
    Instance,
    NewInstance,
    Status,
    StoreUnavailableError,
)
from services.workflow.graph import Definition
from services.workflow.inputs import normalise
from services.workflow.ports import Store
from services.workflow.runner import Runner
from services.workflow.tracing import current_traceparent
from telemetry.errors import ClientError, Unavailable
from telemetry.logs import bind

LARGEST_BODY_BYTES = 65_536
LONGEST_WAIT_SECONDS = 10.0  # less than the grace period of a stop, so that nobody is cut off by one
RETRY_AFTER_SECONDS = 2
FULL_RETRY_AFTER_SECONDS = 5
PREFIX = "/api/v1"
REQUEST_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": StartRequest.model_json_schema()}},
    }
}
ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"model": StartAnswer, "description": "Waited for, and ended"},
    429: {"description": "Too many instances want a worker; see Retry-After"},
    503: {"description": "The database is unavailable; see Retry-After"},
}


def routes(store: Store, runner: Runner) -> APIRouter:
    """All routes below /api/v1."""
    router = APIRouter(prefix=PREFIX)

    @router.post(
        "/workflows/{workflow_id}/instances",
        status_code=202,
        openapi_extra=REQUEST_SCHEMA,
        responses=ANSWERS,
    )
    async def start(
        workflow_id: str,
        request: Request,
        response: Response,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS, allow_inf_nan=False)] = 0.0,
    ) -> StartAnswer:
        """Start an instance; 202 means that it is committed, 200 that within `wait` seconds it also ended."""
        new = _new(_workflow(workflow_id), await request.body())
        with bind(tenant_id=new.tenant_id):
            instance = await _accept(new, store, runner)
            if wait:
                instance = await _look(instance, runner, wait)
        if instance.status in ENDED:
            response.status_code = 200
        location = f"{PREFIX}/instances/{instance.id}"
        response.headers["Location"] = location
        return StartAnswer.of(instance, location)

    @router.get("/instances/{instance_id}")
    async def instance(instance_id: str) -> InstanceDetail:
        """One instance with the states of its nodes."""
        try:
            known = str(uuid.UUID(instance_id))
            found = await store.get(known)
        except ValueError:
            found = None
        except StoreUnavailableError as error:
            raise _unavailable() from error
        if found is None:
            raise ClientError(404, "unknown_instance", f"no instance {instance_id[:64]!r}")
        return InstanceDetail.with_nodes(found, WORKFLOWS.get(found.workflow_id))

    @router.get("/instances")
    async def instances(
        tenant_id: str | None = None,
        workflow_id: str | None = None,
        status: Status | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> InstanceList:
        """The newest instances that match all that is given."""
        if tenant_id is not None:
            _tenant(tenant_id)
        if workflow_id is not None:
            _workflow(workflow_id)
        try:
            found = await store.find(Filter(tenant_id, workflow_id, status, limit))
        except StoreUnavailableError as error:
            raise _unavailable() from error
        return InstanceList(instances=[InstanceRecord.of(each) for each in found])

    @router.get("/workflows")
    async def workflows() -> WorkflowList:
        """The workflows with their fields and nodes, and the tenants."""
        return WorkflowList.of(WORKFLOWS, TENANTS)

    return router


async def _accept(new: NewInstance, store: Store, runner: Runner) -> Instance:
    if runner.full:
        message = f"too many instances wait for a worker; try again in {FULL_RETRY_AFTER_SECONDS} s"
        headers = {"Retry-After": str(FULL_RETRY_AFTER_SECONDS)}
        raise ClientError(429, "queue_full", message, headers=headers)
    try:
        instance = await store.create(new)
    except StoreUnavailableError as error:
        raise _unavailable() from error
    runner.accepted()
    return instance


async def _look(instance: Instance, runner: Runner, seconds: float) -> Instance:
    """The instance as it is after at most `seconds`; it is accepted, so a failure to look is no failure."""
    try:
        return await runner.end_of(instance.id, seconds=seconds) or instance
    except StoreUnavailableError:
        return instance


def _new(definition: Definition, body: bytes) -> NewInstance:
    try:
        asked = StartRequest.parse(body)
        tenant_id = _tenant(asked.tenant_id)
        case = normalise(asked.input, definition)
    except BadInputError as error:
        raise ClientError(422, "bad_input", str(error)) from error
    return NewInstance(str(uuid.uuid4()), tenant_id, definition.id, case, current_traceparent())


def _tenant(tenant_id: str) -> str:
    """The tenant; the set is closed because tenant_id is a metric label."""
    if tenant_id not in TENANTS:
        raise ClientError(404, "unknown_tenant", f"no tenant {tenant_id[:64]!r}; known: {', '.join(TENANTS)}")
    return tenant_id


def _workflow(workflow_id: str) -> Definition:
    definition = WORKFLOWS.get(workflow_id)
    if definition is None:
        known = ", ".join(WORKFLOWS)
        raise ClientError(404, "unknown_workflow", f"no workflow {workflow_id[:64]!r}; known: {known}")
    return definition


def _unavailable() -> Unavailable:
    return Unavailable("the database", retry_after=RETRY_AFTER_SECONDS)
