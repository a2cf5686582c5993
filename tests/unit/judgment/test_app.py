"""The joined service on a real PostgreSQL and Redis: faults by HTTP, readiness, a start without backends."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from redis import Redis

from services.judgment.app import create_app
from services.judgment.settings import Settings, SettingsError

pytestmark = pytest.mark.anyio
EXECUTE = "/api/v1/judgment/execute"
CASE = {"tenant_id": "acme", "workflow_id": "credit-check", "policy": "rule", "input": {"score": 700}}
TOKEN = {"Authorization": "Bearer open"}
Running = Callable[[Mapping[str, str]], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def running(tmp_path: Path) -> Running:
    """Runs the service with its life span; faults are allowed."""

    @asynccontextmanager
    async def run(environ: Mapping[str, str]) -> AsyncIterator[httpx.AsyncClient]:
        faults = {"FAULTS_ENABLED": "1", "FAULTS_TOKEN": "open", "FAULTS_DIR": str(tmp_path)}
        otel = {"OTEL_TRACES_EXPORTER": "none", "OTEL_SERVICE_NAME": "judgment"}
        app = create_app(Settings.from_environment({**faults, **otel, **environ}))
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://judgment") as client:
                yield client

    return run


@pytest.fixture
def backends(postgres_url: str, redis_url: str) -> dict[str, str]:
    """Where the backends are, as the environment tells it; the cache is empty."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
    return {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url}


async def test_it_judges_keeps_and_remembers(running: Running, backends: dict[str, str]) -> None:
    """One case through everything that is real."""
    async with running(backends) as client:
        assert (await client.get("/health/ready")).status_code == 200
        first = (await client.post(EXECUTE, json=CASE)).json()
        second = (await client.post(EXECUTE, json=CASE)).json()
        assert (first["cached"], second["cached"]) == (False, True)
        found = await client.get(f"/api/v1/judgment/executions/{second['execution_id']}")
        assert found.json()["method_used"] == "cache"
        swept = 'retention_rows_deleted_total{table="judgment_executions"} 0.0'
        assert swept in (await client.get("/metrics")).text


async def test_execution_error_is_set_and_cleared_by_http(running: Running, backends: dict[str, str]) -> None:
    """While it is set every execution fails and is counted; afterwards none."""
    async with running(backends) as client:
        url = "/faults/execution_error"
        assert (await client.put(url, json={"parameters": {"rate": 1.0}}, headers=TOKEN)).status_code == 200
        assert (await client.post(EXECUTE, json=CASE)).status_code == 500
        metrics = (await client.get("/metrics")).text
        assert (
            'judgment_executions_total{method="rule",status="error",tenant_id="acme",'
            'workflow_id="credit-check"} 1.0'
        ) in metrics
        assert 'fault_active{fault="execution_error"} 1.0' in metrics
        assert (await client.delete(url, headers=TOKEN)).status_code == 204
        assert (await client.post(EXECUTE, json=CASE)).status_code == 200


async def test_a_database_slower_than_its_time_is_a_503(running: Running, backends: dict[str, str]) -> None:
    """The fault runs into the service's own limit."""
    async with running({**backends, "DATABASE_TIMEOUT_SECONDS": "0.2"}) as client:
        await client.put("/faults/database_slow", json={"parameters": {"seconds": 5}}, headers=TOKEN)
        assert (await client.post(EXECUTE, json=CASE)).status_code == 503


async def test_without_backends_it_starts_and_says_what_is_missing(
    running: Running, nobody_listens: int
) -> None:
    """Alive, not ready, 503 instead of hanging."""
    here = f"127.0.0.1:{nobody_listens}"
    environ = {"DATABASE_URL": f"postgresql+asyncpg://u@{here}/x", "REDIS_URL": f"redis://{here}/0"}
    async with running(environ) as client:
        assert (await client.get("/health/live")).status_code == 200
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
        assert "postgres" in ready.text
        assert (await client.post(EXECUTE, json=CASE)).status_code == 503


async def test_without_redis_it_is_ready_and_judges(
    running: Running, postgres_url: str, nobody_listens: int
) -> None:
    """The cache is no condition."""
    environ = {"DATABASE_URL": postgres_url, "REDIS_URL": f"redis://127.0.0.1:{nobody_listens}/0"}
    async with running(environ) as client:
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.post(EXECUTE, json=CASE)).json()["cached"] is False


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
        ({"REDIS_URL": "localhost"}, "REDIS_URL"),
        ({"SEED": "x"}, "SEED"),
        ({"CACHE_TTL_SECONDS": "0"}, "CACHE_TTL_SECONDS"),
        ({"LLM_TIMEOUT_SECONDS": "nan"}, "LLM_TIMEOUT_SECONDS"),
    ],
)
async def test_a_wrong_setting_is_named(changes: dict[str, str], named: str) -> None:
    """The error says which one and what to do, and shows no password."""
    good = {"DATABASE_URL": "postgresql+asyncpg://u:hidden@h/x", "REDIS_URL": "redis://h/0"}
    with pytest.raises(SettingsError, match=named) as refused:
        Settings.from_environment({**good, **changes})
    assert "hidden" not in str(refused.value)
    assert "hidden" not in repr(Settings.from_environment(good))
