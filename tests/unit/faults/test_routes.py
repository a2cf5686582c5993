"""The /faults routes: who may, what is refused, and that no request breaks them."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults import Fault, Switch
from telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio
AUTHORISED = {"Authorization": "Bearer a-token-for-tests"}


@pytest.fixture
def anyio_backend() -> str:
    """The services run on asyncio."""
    return "asyncio"


def client_of(switch: Switch) -> httpx.AsyncClient:
    """A client of an application that has nothing but the switch."""
    app = FastAPI()
    switch.install(app, Metrics())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@pytest.fixture
async def client(make_switch: Callable[[], Switch]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an enabled switch."""
    async with client_of(make_switch()) as found:
        yield found


async def test_set_list_and_clear(client: httpx.AsyncClient) -> None:
    """PUT sets with defaults, GET shows parameters and what is active, DELETE clears."""
    answer = await client.put("/faults/llm_errors", json={"parameters": {"share": 0.5}}, headers=AUTHORISED)
    assert answer.status_code == 200
    assert answer.json()["active"]["parameters"] == {"share": 0.5, "count": 3, "model": "any"}
    assert answer.json()["active"]["expires_at"] - answer.json()["active"]["set_at"] == 300
    listed = (await client.get("/faults", headers=AUTHORISED)).json()["faults"]
    assert [(fault["name"], bool(fault["active"])) for fault in listed] == [
        ("llm_errors", True),
        ("slow_rules", False),
    ]
    assert listed[1]["parameters"][0] == {
        "name": "ms",
        "default": 200.0,
        "minimum": 0,
        "maximum": 5000,
        "unit": "ms",
        "choices": [],
        "help": "added time",
    }
    cleared = await client.delete("/faults/llm_errors", headers=AUTHORISED)
    assert (cleared.status_code, cleared.content) == (204, b"")
    listed = (await client.get("/faults", headers=AUTHORISED)).json()["faults"]
    assert not any(fault["active"] for fault in listed)


async def test_clear_all(client: httpx.AsyncClient) -> None:
    """DELETE /faults clears everything; clearing what is not set is no error; an empty body sets defaults."""
    assert (await client.put("/faults/slow_rules", headers=AUTHORISED)).status_code == 200
    assert (await client.delete("/faults", headers=AUTHORISED)).status_code == 204
    assert (await client.delete("/faults/slow_rules", headers=AUTHORISED)).status_code == 204


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic a-token-for-tests", "Bearer \xff"]
)
async def test_without_the_token_nothing_is_told_or_set(
    client: httpx.AsyncClient, header: str | None
) -> None:
    """Every route answers 401 with a reason, before it looks at anything else."""
    headers = httpx.Headers({} if header is None else {"Authorization": header}, encoding="latin-1")
    for method, path in (
        ("GET", "/faults"),
        ("PUT", "/faults/nope"),
        ("DELETE", "/faults"),
        ("DELETE", "/faults/a"),
    ):
        answer = await client.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert "a-token-for-tests" not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/faults/nope", "{}", 404, "unknown_fault"),
        ("/faults/slow_rules", '{"parameters": {"ms": 5001}}', 422, "bad_parameter"),
        ("/faults/slow_rules", '{"parameters": {"ms": "x"}}', 422, "bad_parameter"),
        ("/faults/slow_rules", '{"parameters": {"ms": NaN}}', 422, "bad_parameter"),
        ("/faults/slow_rules", '{"parameters": {"ms": -Infinity}}', 422, "bad_parameter"),
        ("/faults/slow_rules", '{"parameters": {"ms": true}}', 422, "bad_parameter"),
        ("/faults/llm_errors", '{"parameters": {"count": 1.5}}', 422, "bad_parameter"),
        ("/faults/llm_errors", '{"parameters": {"model": "' + "x" * 201 + '"}}', 422, "bad_parameter"),
        ("/faults/slow_rules", '{"parameters": {"seconds": 1}}', 422, "bad_parameter"),
        ("/faults/slow_rules", '{"ttl_seconds": NaN}', 422, "bad_parameter"),
        ("/faults/slow_rules", '{"parameters": {"ms": 1' + "0" * 5_000 + "}}", 422, "bad_request"),
        ("/faults/slow_rules", "[" * 10_000, 422, "bad_request"),
        ("/faults/..%2fslow_rules", "{}", 404, ""),
        ("/faults/" + "x" * 5_000, "{}", 404, "unknown_fault"),
        ("/faults/slow_rules", '{"ttl_seconds": 0}', 422, "bad_parameter"),
        ("/faults/slow_rules", '{"ttl_seconds": 3601}', 422, "bad_parameter"),
        ("/faults/slow_rules", '{"ttl": 60}', 422, "bad_request"),
        ("/faults/slow_rules", "[]", 422, "bad_request"),
        ("/faults/slow_rules", '{"parameters": []}', 422, "bad_request"),
        ("/faults/slow_rules", "{", 422, "bad_request"),
        ("/faults/slow_rules", " " * 20_000, 413, "too_large"),
    ],
)
async def test_refused_request_sets_nothing(
    client: httpx.AsyncClient, path: str, body: str, status: int, code: str
) -> None:
    """Each wrong request gets its own 4xx with a JSON reason, and no fault is set."""
    answer = await client.put(path, content=body, headers=AUTHORISED)
    assert answer.status_code == status
    if code:  # without one it is no route of the switch
        assert answer.json()["error"]["code"] == code
        assert answer.json()["error"]["message"]
        assert len(answer.text) < 500
    listed = (await client.get("/faults", headers=AUTHORISED)).json()["faults"]
    assert not any(fault["active"] for fault in listed)


async def test_clearing_an_unknown_fault_is_404(client: httpx.AsyncClient) -> None:
    """A misspelt heal must not look like one."""
    answer = await client.delete("/faults/slow_rulse", headers=AUTHORISED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_fault")


async def test_disabled_switch_answers_403() -> None:
    """Where faults are off even the right token gets 403 with the reason."""
    environ = {"FAULTS_ENABLED": "1", "FAULTS_TOKEN": "t", "FAULTS_DIR": "/x", "ENVIRONMENT": "production"}
    async with client_of(Switch.from_environment("fds", [Fault("a", "")], environ)) as client:
        for method, path in (("GET", "/faults"), ("PUT", "/faults/a"), ("DELETE", "/faults")):
            answer = await client.request(method, path, headers={"Authorization": "Bearer t"})
            assert answer.status_code == 403
            assert "production" in answer.json()["error"]["message"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200)
    | st.sampled_from([b"[" * 16_000, b'{"parameters":' * 1000, b"1e999", b'"\\ud800"'])
)
async def test_no_body_breaks_it(client: httpx.AsyncClient, body: bytes) -> None:
    """Arbitrary bytes are answered with 200 or 4xx, never 5xx."""
    answer = await client.put("/faults/slow_rules", content=body, headers=AUTHORISED)
    assert answer.status_code < 500
