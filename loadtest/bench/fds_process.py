"""An fds of one's own beside a running stack, with that one's backends and a SENTRY_DSN to choose."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from firedrill.stack import Stack
from firedrill.wait import poll_until

ROOT = Path(__file__).resolve().parents[2]
APP = "services.fds.app:from_environment"
READY_SECONDS = 60.0
STOP_SECONDS = 15.0
KEY = secrets.token_hex(16)


@contextmanager
def fds_beside(
    stack: Stack, folder: Path, *, dsn: str, app: str = APP, extra: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Its base URL; log and fault files go to `folder`. It is stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["uvicorn", "--factory", app, "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
    environ = {**_environment(stack, folder), "SENTRY_DSN": dsn, **(extra or {})}
    with (folder / "fds.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=environ, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(trust_env=False) as http:
            poll_until(lambda: http.get(f"{url}/health/ready").is_success, f"an fds at {url}", READY_SECONDS)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of the loopback where nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(128)
        yield taken.getsockname()[1]


def dsn_of(port: int) -> str:
    """The DSN of a Sentry, or an inbox, on this port."""
    return f"http://{KEY}@127.0.0.1:{port}/sentry/1"


def port_of(url: str) -> int:
    """The port in a base URL."""
    port = httpx.URL(url).port
    assert port is not None
    return port


def _environment(stack: Stack, folder: Path) -> dict[str, str]:
    """As docker-compose.yml's for fds, with the addresses of the running stack."""
    password = stack.settings.get("POSTGRES_PASSWORD") or "firedrill"
    postgres, redis = port_of(stack.url("postgres")), port_of(stack.url("redis"))
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ENVIRONMENT": "development",
        "OTEL_SERVICE_NAME": "fds",
        "SYSTEM": "shopfds",
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.url("collector", 4318),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "DATABASE_URL": f"postgresql+asyncpg://firedrill:{password}@127.0.0.1:{postgres}/fds",
        "REDIS_URL": f"redis://127.0.0.1:{redis}/1",
        "ML_URL": stack.url("ml"),
        "FAULTS_ENABLED": "1",
        "FAULTS_TOKEN": KEY,
        "FAULTS_DIR": str(folder / "faults"),
    }
