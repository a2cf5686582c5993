"""One real local stack for the whole session, beside a user's: ports, state and settings of its own."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from firedrill import stack as running
from firedrill.clients import Jaeger, Loki, Prometheus, open_http

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
# Every port stays below 32768 (outgoing connections take those above) and off a user's default ports.
PORT_OFFSET = "2700"
# What `up` itself sets; a value of ours would be in its way.
SET_BY_UP = {"CONFIG_DIR", "RULES_DIR", "COLLECTOR_OVERLAY", "RULES_RESEND_DELAY"}
UP_SECONDS = 1800  # a cold machine compiles the components first


@dataclass(frozen=True)
class LiveStack:
    """The running stack: its folder, the environment that leads to it, and clients for its backends."""

    folder: Path
    environ: Mapping[str, str]
    http: httpx.Client

    def command(self, *arguments: str, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
        """`firedrill` with `arguments`; the caller looks at the exit code."""
        return subprocess.run(
            [sys.executable, "-m", "firedrill.cli", *arguments],
            cwd=ROOT,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def must(self, *arguments: str, seconds: float = 120) -> str:
        """The output of a `firedrill` command that has to succeed."""
        done = self.command(*arguments, seconds=seconds)
        assert done.returncode == 0, f"firedrill {' '.join(arguments)}: exit {done.returncode}\n{said(done)}"
        return done.stdout

    def view(self) -> running.Stack:
        """The stack as the firedrill package sees it."""
        return running.current(self.environ)

    @property
    def prometheus(self) -> Prometheus:
        """A client for its Prometheus."""
        return Prometheus(self.view().url("prometheus"), http=self.http)

    @property
    def loki(self) -> Loki:
        """A client for its Loki."""
        return Loki(self.view().url("loki"), http=self.http)

    @property
    def jaeger(self) -> Jaeger:
        """A client for its Jaeger."""
        return Jaeger(self.view().url("jaeger"), http=self.http)


def said(done: "subprocess.CompletedProcess[str]") -> str:
    """The end of what a command printed."""
    return f"{done.stdout[-6000:]}\n{done.stderr[-4000:]}"


def environment(folder: Path) -> dict[str, str]:
    """The caller's environment with every setting at its documented default: a user's .env has no say."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", text, re.M))
    settings = {name: value for name, value in defaults.items() if name not in SET_BY_UP}
    own = {
        "RUNTIME": "local",
        "PACE": "demo",
        "TRACES": "all",
        "TRAFFIC": "on",
        "PORT_OFFSET": PORT_OFFSET,
        "FIREDRILL_STATE": str(folder / "state"),
        "FAULTS_TOKEN": secrets.token_hex(16),
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "GRAFANA_PASSWORD": secrets.token_hex(16),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {**os.environ, **settings, **own}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an integration test, with time for a cold start of the stack.

    The report comes first: its budgets are for background traffic, not for thousands of requests of tests.
    Then it is asked whether the start and this time were calm, before anything is broken.
    """
    first = {"test_report.py": 0, "test_calm.py": 1}
    items.sort(key=lambda item: first.get(item.path.name, 2))
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.timeout(UP_SECONDS + 600))


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[LiveStack]:
    """The stack, started once and taken down at the end; its folder is kept when something failed.

    With FIREDRILL_TEST_ATTACH=1 the one that runs, found by FIREDRILL_STATE: for who writes a test.
    """
    if os.environ.get("FIREDRILL_TEST_ATTACH"):
        with open_http(timeout_seconds=15.0) as http:
            yield LiveStack(Path(os.environ["FIREDRILL_STATE"]), dict(os.environ), http)
        return
    # Not pytest's own temporary folder: started by root, the stack runs as somebody who cannot enter that.
    folder = Path(tempfile.mkdtemp(prefix="firedrill-test-"))
    folder.chmod(0o755)
    failed_before = request.session.testsfailed
    with open_http(timeout_seconds=15.0) as http:
        live = LiveStack(folder, environment(folder), http)
        try:
            done = live.command("up", seconds=UP_SECONDS)
            if done.returncode != 0:
                text = f"firedrill up: exit {done.returncode}; logs in {folder}\n{said(done)}"
                pytest.fail(text, pytrace=False)
            yield live
        finally:
            down = live.command("down", seconds=180)
            if request.session.testsfailed > failed_before or down.returncode != 0:
                sys.stderr.write(f"\nthe stack's state and logs are kept in {folder}\n{said(down)}\n")
            else:
                shutil.rmtree(folder, ignore_errors=True)
