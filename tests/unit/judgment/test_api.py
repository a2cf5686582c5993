"""The HTTP face: what is answered to good cases, bad input, unknown names and failing peers."""

import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.judgment.api import LARGEST_BODY_BYTES, routes
from services.judgment.domain import LlmFailedError, RuleBookBrokenError
from services.judgment.engine import Engine
from services.judgment.signals import Signals
from telemetry.app import instrument
from tests.unit.judgment.fakes import FakeBook, FakeCache, FakeLlm, FakeStore
from tests.unit.judgment.recorder import Recorder

pytestmark = pytest.mark.anyio
EXECUTE = "/api/v1/judgment/execute"
GOOD = {
    "tenant_id": "acme",
    "workflow_id": "credit-check",
    "input": {"score": 700, "employment": "permanent"},
}


@dataclass
class Service:
    """The routes in front of fakes, behind the real middleware."""

    recorder: Recorder = field(default_factory=Recorder)
    book: FakeBook = field(default_factory=FakeBook)
    llm: FakeLlm = field(default_factory=FakeLlm)
    store: FakeStore = field(default_factory=FakeStore)

    def __post_init__(self) -> None:
        engine = Engine(
            Signals(self.recorder.metrics, clock=time.monotonic),
            book=self.book,
            llm=self.llm,
            cache=FakeCache(),
            store=self.store,
            clock=time.perf_counter,
            llm_timeout_seconds=1.0,
        )
        app = FastAPI()
        app.include_router(routes(engine, self.store))
        instrument(app, self.recorder.telemetry, max_body_bytes=LARGEST_BODY_BYTES)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://judgment")

    async def send(self, content: bytes | str) -> httpx.Response:
        """POST a body as it is."""
        return await self.client.post(EXECUTE, content=content)

    async def execute(self, **changes: object) -> httpx.Response:
        """POST the good request with changes."""
        return await self.client.post(EXECUTE, json={**GOOD, **changes})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service in which everything works."""
    service = Service()
    yield service
    await service.client.aclose()
    service.recorder.stop()


async def test_a_good_case_is_answered_with_its_trace(service: Service) -> None:
    """All fields of the contract; the trace id in body and header is the same, and hybrid is the default."""
    answer = await service.execute()
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {
        "execution_id", "result", "confidence", "method_used", "execution_time_ms", "cached", "trace_id",
        "explanation",
    }  # fmt: skip
    assert body["result"] == {"status": "approved"}
    assert body["method_used"] == "hybrid_weighted"
    assert body["trace_id"] == answer.headers["x-trace-id"]
    assert service.store.kept[0].id == body["execution_id"]


async def test_the_second_time_it_is_cached(service: Service) -> None:
    """cached and method_used say so."""
    await service.execute()
    body = (await service.execute()).json()
    assert (body["cached"], body["method_used"]) == (True, "cache")


async def test_log_lines_bear_the_tenant(service: Service) -> None:
    """The line of the execution and the canonical line of the request name trace and tenant."""
    answer = await service.execute()
    lines = {str(line["message"]): line for line in service.recorder.logs}
    for message in ("Judgment execution completed", "Request handled"):
        assert lines[message]["tenant_id"] == "acme"
        assert lines[message]["trace_id"] == answer.headers["x-trace-id"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"tenant_id": "nobody"}, 404, "unknown_tenant"),
        ({"tenant_id": "a\x00b"}, 404, "unknown_tenant"),
        ({"workflow_id": "none"}, 404, "unknown_workflow"),
        ({"policy": "guess"}, 422, "bad_input"),
        ({"policy": None}, 422, "bad_input"),
        ({"use_cache": "yes"}, 422, "bad_input"),
        ({"tenant_id": 3}, 422, "bad_input"),
        ({"tenant_id": "x" * 1000}, 422, "bad_input"),
        ({"surplus": 1}, 422, "bad_input"),
        ({"input": []}, 422, "bad_input"),
        ({"input": {"score": "high"}}, 422, "bad_input"),
        ({"input": {"score": 1e300}}, 422, "bad_input"),
        ({"input": {"note": "a\x00b"}}, 422, "bad_input"),
        ({"input": {"note": [1]}}, 422, "bad_input"),
    ],
)
async def test_bad_input_is_refused_and_no_execution(
    service: Service, changes: dict[str, object], status: int, code: str
) -> None:
    """A 4xx with a code and a reason; nothing is counted, kept or asked."""
    answer = await service.execute(**changes)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert not service.recorder.moved("judgment_executions_total")
    assert not service.store.kept
    assert not service.llm.asked


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"{" * 100_0,
        b"[" * 50_000,
        json.dumps(GOOD).encode() + b"x",
        b'{"tenant_id": "\\ud800", "workflow_id": "credit-check", "input": {}}',
        b'{"tenant_id": "acme", "workflow_id": "credit-check", "input": {"score": NaN}}',
        b'{"tenant_id": "acme", "workflow_id": "credit-check", "input": {"score": 1e999}}',
        b'{"tenant_id": "acme", "workflow_id": "credit-check", "input": {"score": 1' + b"0" * 5000 + b"}}",
        b'{"tenant_id": "acme", "workflow_id": "credit-check", "input": {"\\udfff": 1}}',
        b'{"tenant_id": "acme", "workflow_id": "credit-check", "input": '
        + b'{"a":' * 2000
        + b"1"
        + b"}" * 2001,
    ],
)
async def test_a_strange_body_is_a_422(service: Service, body: bytes) -> None:
    """Nothing that a client sends is our error."""
    answer = await service.send(body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


async def test_a_body_that_is_too_large_is_a_413(service: Service) -> None:
    """Memory is bounded."""
    answer = await service.send(b'{"input": "' + b"x" * LARGEST_BODY_BYTES + b'"}')
    assert answer.status_code == 413
    assert "error" in answer.json()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda value: json.dumps({**GOOD, "input": {"note": value, "score": value}}).encode())
)
async def test_no_body_makes_a_server_error(service: Service, body: bytes) -> None:
    """Whatever is sent is judged or refused with JSON."""
    answer = await service.send(body)
    assert answer.status_code in {200, 404, 422}
    assert answer.json()


async def test_without_a_database_it_is_a_503(service: Service) -> None:
    """The answer says when to come back, and the execution is counted as failed."""
    service.store.broken = True
    answer = await service.execute(policy="rule")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["error"]["code"] == "unavailable"
    for path in ("executions", f"executions/{uuid.uuid4()}"):
        assert (await service.client.get(f"/api/v1/judgment/{path}")).status_code == 503


async def test_policy_llm_without_a_model_is_a_503(service: Service) -> None:
    """The other policies go on."""
    service.llm.replies = [LlmFailedError("error")]
    assert (await service.execute(policy="llm")).status_code == 503
    assert (await service.execute(policy="hybrid")).json()["method_used"] == "rule"


async def test_our_own_failure_is_a_500_that_names_the_execution(service: Service) -> None:
    """The id leads to the kept execution."""
    service.book.error = RuleBookBrokenError("gone")
    answer = await service.execute()
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "execution_failed"
    assert service.store.kept[0].id in answer.json()["error"]["message"]


async def test_a_kept_execution_is_found_by_its_id(service: Service) -> None:
    """Also a failed one, which has no result."""
    made = (await service.execute()).json()
    found = (await service.client.get(f"/api/v1/judgment/executions/{made['execution_id']}")).json()
    assert {key: found[key] for key in made} == made
    assert found["status"] == "success"
    service.book.error = RuleBookBrokenError("gone")
    await service.execute()
    failed = (await service.client.get("/api/v1/judgment/executions", params={"limit": 1})).json()
    assert [(each["status"], each["result"]) for each in failed["executions"]] == [("error", None)]


UNKNOWN = "6fdb1c0e-6a7b-4d0f-9d53-2f3f8f2f6c11"


@pytest.mark.parametrize("execution_id", [UNKNOWN, "none", "%ed%a0%80", "x" * 500])
async def test_an_unknown_execution_is_a_404(service: Service, execution_id: str) -> None:
    """Whether or not it looks like an id."""
    answer = await service.client.get(f"/api/v1/judgment/executions/{execution_id}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_execution"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("tenant_id=acme&workflow_id=credit-check&status=success&method=rule&limit=200", 200),
        ("limit=0", 422),
        ("limit=201", 422),
        ("limit=" + "9" * 5000, 422),
        ("status=maybe", 422),
        ("method=%00", 400),
        ("tenant_id=nobody", 404),
        ("workflow_id=none", 404),
    ],
)
async def test_filters_are_checked(service: Service, query: str, status: int) -> None:
    """A filter that cannot match anything is said to be wrong."""
    answer = await service.client.get(f"/api/v1/judgment/executions?{query}")
    assert answer.status_code == status


async def test_workflows_tell_how_to_ask(service: Service) -> None:
    """Every workflow's own example can be sent back as it is, by each listed tenant."""
    told = (await service.client.get("/api/v1/workflows")).json()
    assert told["tenants"] == ["acme", "globex", "initech", "probe"]
    for workflow in told["workflows"]:
        case = {each["name"]: each["example"] for each in workflow["fields"]}
        answer = await service.execute(workflow_id=workflow["workflow_id"], input=case)
        assert answer.status_code == 200
