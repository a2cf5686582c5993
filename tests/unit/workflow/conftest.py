"""A real PostgreSQL of the tests' own, a stub of judgment over HTTP, and the service as a process."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from tests.unit.fds.conftest import Server, postgres
from tests.unit.judgment.conftest import anyio_backend, nobody_listens
from tests.unit.workflow.processes import ROOT, StubJudgment, Workflow, free_port

__all__ = ["anyio_backend", "nobody_listens", "postgres"]


@pytest.fixture
def database_url(postgres: Server) -> str:
    """An empty database of one test."""
    name = f"workflow_{uuid.uuid4().hex[:12]}"
    server = postgres.url.replace("+asyncpg", "")

    async def create() -> None:
        connection = await asyncpg.connect(server)
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()

    asyncio.run(create())
    return f"{postgres.url.rpartition('/')[0]}/{name}"


@pytest.fixture
def rows(database_url: str) -> Callable[[str], list[asyncpg.Record]]:
    """Runs a query on the test's database."""

    async def fetch(query: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        try:
            return await connection.fetch(query)
        finally:
            await connection.close()

    return lambda query: asyncio.run(fetch(query))


@pytest.fixture
def judgment() -> Iterator[StubJudgment]:
    """A stub that approves everything, on a free port."""
    with closing(StubJudgment()) as stub:
        yield stub


@pytest.fixture
def workflow(database_url: str, judgment: StubJudgment, tmp_path: Path) -> Iterator[Workflow]:
    """The service as its own process; not started yet, and killed in the end."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "DATABASE_URL": database_url,
        "JUDGMENT_URL": judgment.url,
        "LEASE_SECONDS": "2",
        "BREAKER_COOLDOWN_SECONDS": "1",
        "OTEL_SERVICE_NAME": "workflow",
        "OTEL_TRACES_EXPORTER": "none",
        "FAULTS_ENABLED": "1",
        "FAULTS_TOKEN": "open",
        "FAULTS_DIR": str(tmp_path / "faults"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
    }

    def spawn(port: int, environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "uvicorn", "services.workflow.app:from_environment", "--factory"]
        with (tmp_path / f"output-{port}").open("ab") as output:
            return subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(port), "--no-access-log"],
                cwd=ROOT,
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    with closing(Workflow(spawn, environ, free_port(), tmp_path)) as service:
        yield service
