"""Rounds of all cases, one after another, each server fresh, against a real collector."""

from __future__ import annotations

import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from firedrill.wait import poll_until
from loadtest.bench import client
from loadtest.bench.apps import PATH
from loadtest.bench.cases import Case
from loadtest.bench.processes import CLIENT_CORE, SERVER_CORE, Running, free_port, running

WARM_SECONDS = 2.0
SLICE_SECONDS = 1.0
START_SECONDS = 60.0
# Takes OTLP over HTTP and writes nothing: the build has no exporter that is less than a silent `debug`.
_COLLECTOR = """\
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{debug: {{verbosity: basic}}}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}
"""


@dataclass(frozen=True)
class Round:
    """One case in one round."""

    case: str
    rate: float
    """Requests a second."""
    cpu_microseconds: float
    """CPU time of the server per request."""
    failures: int
    lost: float | None
    """Spans and lines that our own telemetry says it dropped."""


@dataclass(frozen=True)
class _Server:
    """One case, running and warm."""

    case: Case
    url: str
    process: Running


@dataclass(frozen=True)
class Bench:
    """Where and how to run."""

    root: Path
    python: Path
    collector: Path
    seconds: int
    """Slices of one second that each case gets in each round."""

    def rounds(self, cases: Sequence[Case], count: int) -> Iterator[Round]:
        """Measure every case `count` times, second by second in turn.

        All servers run all the time, idle but one: what else the machine does then troubles all alike.
        """
        with tempfile.TemporaryDirectory(prefix="firedrill-bench-") as name, ExitStack() as stack:
            folder = Path(name)
            endpoint = stack.enter_context(self._sink(folder))
            servers = [self._start(stack, case, endpoint, folder) for case in cases]
            for _ in range(count):
                yield from self._round(servers)

    def _round(self, servers: Sequence[_Server]) -> Iterator[Round]:
        before = [server.process.cpu_seconds() for server in servers]
        slices: list[list[client.Measured]] = [[] for _ in servers]
        for _ in range(self.seconds):
            for server, own in zip(servers, slices, strict=True):
                own.append(client.measure(server.url + PATH, SLICE_SECONDS, self.root))
        for server, begun, own in zip(servers, before, slices, strict=True):
            requests = sum(each.requests for each in own)
            yield Round(
                case=server.case.name,
                rate=mean(each.rate for each in own),
                cpu_microseconds=(server.process.cpu_seconds() - begun) / max(1, requests) * 1e6,
                failures=sum(each.failures for each in own),
                lost=_lost(server.url) if server.case.factory == "ours" else None,
            )

    def _start(self, stack: ExitStack, case: Case, endpoint: str, folder: Path) -> _Server:
        port = free_port()
        binaries = self.python.parent
        command = [
            *(str(binaries / name) for name in case.wrapper),
            *(str(binaries / "uvicorn"), f"loadtest.bench.apps:{case.factory}", "--factory"),
            *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
            *(() if case.factory == "recipe" else ("--no-access-log",)),
        ]
        environment = {
            **_plain_environment(),
            **case.environment,
            "PYTHONPATH": str(self.root),
            "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        }
        output = folder / f"{case.name}.log"
        process = stack.enter_context(
            running(command, core=SERVER_CORE, environment=environment, folder=self.root, output=output)
        )
        server = _Server(case, f"http://127.0.0.1:{port}", process)
        _wait(process, server.url + PATH, case.name)
        client.measure(server.url + PATH, WARM_SECONDS, self.root)
        return server

    @contextmanager
    def _sink(self, folder: Path) -> Iterator[str]:
        """A collector on the client's core."""
        port = free_port()
        config = folder / "collector.yaml"
        config.write_text(_COLLECTOR.format(port=port))
        command = [str(self.collector), "--config", str(config)]
        output = folder / "collector.log"
        with running(
            command, core=CLIENT_CORE, environment=os.environ, folder=self.root, output=output
        ) as sink:
            endpoint = f"http://127.0.0.1:{port}"
            _wait(sink, endpoint + "/v1/traces", "the collector")
            yield endpoint


def _plain_environment() -> Mapping[str, str]:
    """Ours without what would change the measured processes."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "PYTHON", "SENTRY_", "LOG_", "UVICORN_"))
    }


def _wait(server: Running, url: str, what: str) -> None:
    """Until it answers, whatever it answers."""

    def answers() -> bool:
        server.check()
        try:
            _read(url)
        except urllib.error.HTTPError:
            return True
        return True

    try:
        poll_until(answers, f"{what} answers", START_SECONDS, interval=0.1)
    except Exception as error:
        print(server.output.read_text(errors="replace")[-2000:], file=sys.stderr)
        raise RuntimeError(f"{what} did not start: {error}") from error


def _read(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return str(answer.read().decode())


def _lost(url: str) -> float:
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in _read(url + "/metrics").splitlines()
        if line.startswith(("telemetry_spans_dropped_total", "telemetry_log_lines_dropped_total"))
    )
