"""The HTTP face: what is answered to good requests, bad input, unknown names, a full queue."""

import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.workflow.api import LARGEST_BODY_BYTES, routes
from telemetry.app import instrument
from tests.unit.workflow.rig import Rig

pytestmark = pytest.mark.anyio
START = "/api/v1/workflows/order-to-cash/instances"
GOOD = {"tenant_id": "acme", "input": {"score": 700}}
KEYS = st.sampled_from(["tenant_id", "input", "score", "acme"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=6,
)


@dataclass
class Service:
    """The routes in front of fakes, behind the real middleware; nothing runs but when a test does."""

    rig: Rig = field(default_factory=Rig)

    def __post_init__(self) -> None:
        app = FastAPI()
        app.include_router(routes(self.rig.store, self.rig.runner))
        instrument(app, self.rig.recorder.telemetry, max_body_bytes=LARGEST_BODY_BYTES)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://workflow")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service in which everything works."""
    service = Service()
    yield service
    await service.client.aclose()
    service.rig.recorder.stop()


async def test_an_instance_is_accepted(service: Service) -> None:
    """202 with its id, where to look for it, and the trace that it will have."""
    answer = await service.client.post(START, json=GOOD)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["status"], body["workflow_id"]) == ("waiting", "order-to-cash")
    assert body["trace_id"] == answer.headers["x-trace-id"]
    assert body["location"] == answer.headers["location"]
    found = (await service.client.get(body["location"])).json()
    assert found["instance_id"] == body["instance_id"]
    assert {node["status"] for node in found["nodes"]} == {"pending"}
    assert found["input"]["score"] == 700


async def test_the_list_has_what_was_accepted(service: Service) -> None:
    """Newest first, and limited."""
    for _ in range(3):
        await service.client.post(START, json=GOOD)
    listed = (await service.client.get("/api/v1/instances?limit=2&tenant_id=acme")).json()["instances"]
    assert len(listed) == 2


async def test_the_workflows_are_described(service: Service) -> None:
    """Fields with defaults, nodes with what they come after."""
    said = (await service.client.get("/api/v1/workflows")).json()
    order = next(one for one in said["workflows"] if one["workflow_id"] == "order-to-cash")
    assert {"name": "destination", "kind": "text", "default": "DE", "help": "country code"} in order["fields"]
    nodes = {node["node_id"]: node for node in order["nodes"]}
    assert nodes["refuse-order"]["after"] == ["credit-decision:stop"]
    assert said["tenants"] == ["acme", "globex", "initech", "probe"]


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        (b"", 422, "not JSON"),
        (b"{", 422, "not JSON"),
        (b"[]", 422, "the body"),
        (b"{}", 422, "tenant_id"),
        (b'{"tenant_id": 1}', 422, "tenant_id"),
        (b'{"tenant_id": "nobody"}', 404, "no tenant"),
        (b'{"tenant_id": "acme", "more": 1}', 422, "more"),
        (b'{"tenant_id": "acme", "input": []}', 422, "input"),
        (b'{"tenant_id": "acme", "input": {"score": "high"}}', 422, "score"),
        (b'{"tenant_id": "acme", "input": {"destination": "\\u0000"}}', 422, "destination"),
        (b'{"tenant_id": "acme", "input": {"destination": "\xff"}}', 422, "not JSON"),
        (b"x" * (LARGEST_BODY_BYTES + 1), 413, "larger"),
    ],
)
async def test_bad_bodies_are_refused(service: Service, body: bytes, status: int, named: str) -> None:
    """4xx with JSON that says what is wrong; nothing is accepted."""
    answer = await service.client.post(START, content=body)
    assert answer.status_code == status
    assert named in answer.json()["error"]["message"]
    assert service.rig.store.kept == {}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/instances/nonsense", 404),
        ("/api/v1/instances/38923465-7f6b-4ac2-824d-7f769d1e0762", 404),
        ("/api/v1/instances?tenant_id=nobody", 404),
        ("/api/v1/instances?workflow_id=nothing", 404),
        ("/api/v1/instances?status=sleeping", 422),
        ("/api/v1/instances?limit=0", 422),
        ("/api/v1/nowhere", 404),
    ],
)
async def test_bad_questions_are_refused(service: Service, path: str, status: int) -> None:
    """4xx with JSON."""
    answer = await service.client.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]


@pytest.mark.parametrize("wait", ["-1", "11", "nan", "inf", "soon"])
async def test_the_wait_is_bounded(service: Service, wait: str) -> None:
    """422, and nothing is accepted."""
    answer = await service.client.post(f"{START}?wait={wait}", json=GOOD)
    assert answer.status_code == 422
    assert service.rig.store.kept == {}


async def test_an_unknown_workflow_is_404(service: Service) -> None:
    """The set is closed, and the answer says which there are."""
    answer = await service.client.post("/api/v1/workflows/nothing/instances", json=GOOD)
    assert answer.status_code == 404
    assert "order-to-cash" in answer.json()["error"]["message"]


async def test_without_a_database_nothing_is_accepted(service: Service) -> None:
    """503 with Retry-After, for every route that needs it."""
    one = f"/api/v1/instances/{uuid.uuid4()}"
    for method, path in (("POST", START), ("GET", one), ("GET", "/api/v1/instances")):
        service.rig.store.failures = 1
        answer = await service.client.request(method, path, json=GOOD if method == "POST" else None)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_a_full_queue_is_429(service: Service) -> None:
    """Three may wait here; the fourth is told when to come again."""
    for _ in range(3):
        assert (await service.client.post(START, json=GOOD)).status_code == 202
    answer = await service.client.post(START, json=GOOD)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert answer.json()["error"]["code"] == "queue_full"


async def test_who_waits_gets_the_end(service: Service) -> None:
    """200 once the instance has ended within the time."""
    service.rig.runner.start()
    path = "/api/v1/workflows/defect-triage/instances?wait=5"
    answer = await service.client.post(path, json={"tenant_id": "acme"})
    await service.rig.runner.stop()
    assert answer.status_code == 200
    assert answer.json()["status"] == "completed"


async def test_waiting_over_a_timer_looks_seldom(service: Service) -> None:
    """The end of one run is no end of the instance: who waits does not look in a tight loop from then on."""
    service.rig.judge.answers = [{"verdict": "review", "confidence": 0.5}]
    service.rig.runner.start()
    path = "/api/v1/workflows/defect-triage/instances?wait=1.2"
    await service.client.post(path, json={"tenant_id": "acme"})
    await service.rig.runner.stop()
    assert service.rig.store.looks <= 8


async def test_who_waits_in_vain_gets_202(service: Service) -> None:
    """It is accepted all the same."""
    answer = await service.client.post(f"{START}?wait=0.1", json=GOOD)
    assert (answer.status_code, answer.json()["status"]) == (202, "waiting")


@given(body=st.binary(max_size=200) | DOCUMENTS.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_body_is_a_500(service: Service, body: bytes) -> None:
    """Whatever is sent, it is taken or refused with JSON."""
    answer = await service.client.post(START, content=body)
    assert answer.status_code in {202, 404, 422, 429}
    assert answer.headers["content-type"] == "application/json"
