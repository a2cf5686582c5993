"""What a running stack takes: delay until a line and a span can be found, memory, time of a scrape."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

import httpx
import psutil

from firedrill.clients import Jaeger, Loki, open_http
from firedrill.stack import Stack, current

PROBES = 40
EVERY_SECONDS = 0.25
LOOK_SECONDS = 0.05
DEADLINE_SECONDS = 60.0
SERVICE, PATH = "judgment", "/api/v1/workflows"
SERVICES = ("judgment", "workflow", "fds", "ecommerce", "ml", "admin", "inbox", "traffic")
SCRAPES = 10


@dataclass
class Probe:
    """One request and when its signals were first found, in seconds after its answer; None: never."""

    trace_id: str
    at: float
    line: float | None = None
    span: float | None = None

    def look(self, where: str, has: Callable[[str], bool]) -> None:
        """Ask once, unless it was already found."""
        if getattr(self, where) is None and has(self.trace_id):
            setattr(self, where, time.time() - self.at)


def p95(values: list[float]) -> float | None:
    """The 95th percentile; None without values."""
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else next(iter(values), None)


def show() -> dict[str, object]:
    """Print and return everything; raises NotRunning without a stack."""
    stack = current()
    with open_http() as http:
        delays = _delays(stack, http)
        scrapes = _scrapes(stack, http)
    memory = _memory(stack)
    print(f"found after an answer, seconds (P95 of {PROBES}):")
    for name, value in delays.items():
        print(f"  {name:16}{'never' if value is None else f'{value:6.2f}'}")
    print("/metrics, milliseconds (median), kilobytes:")
    for name, (took, size) in scrapes.items():
        print(f"  {name:16}{took * 1000:8.1f}{size / 1000:8.1f}")
    print("resident memory, MB:")
    for name, used in sorted(memory.items(), key=lambda item: -item[1]):
        print(f"  {name:16}{used / 1e6:8.1f}")
    print(f"  {'all':16}{sum(memory.values()) / 1e6:8.1f}")
    return {
        "delay_p95_seconds": delays,
        "scrape": {name: {"seconds": took, "bytes": size} for name, (took, size) in scrapes.items()},
        "memory_bytes": memory,
    }


def _delays(stack: Stack, http: httpx.Client) -> dict[str, float | None]:
    """Requests at an even pace, looked for in Loki and Jaeger meanwhile."""
    loki = Loki(stack.url("loki"), http=http)
    jaeger = Jaeger(stack.url("jaeger"), http=http)
    begun = time.time()

    def has_line(trace_id: str) -> bool:
        query = f'{{service="{SERVICE}"}} |= "{trace_id}"'
        return bool(loki.search(query, start=begun - 5, end=time.time() + 5, limit=1).lines)

    def has_span(trace_id: str) -> bool:
        return jaeger.trace(trace_id) is not None

    probes: list[Probe] = []
    last = begun
    while time.time() < (end := last + DEADLINE_SECONDS):
        if len(probes) < PROBES and time.time() >= begun + len(probes) * EVERY_SECONDS:
            answer = http.get(stack.url(SERVICE) + PATH)
            last = time.time()
            probes.append(Probe(answer.headers["x-trace-id"], last))
        for probe in probes:
            probe.look("line", has_line)
            probe.look("span", has_span)
        if len(probes) == PROBES and all(probe.line and probe.span for probe in probes):
            break
        time.sleep(min(LOOK_SECONDS, max(0.0, end - time.time())))
    return {
        "log line in Loki": p95([probe.line or DEADLINE_SECONDS for probe in probes]),
        "span in Jaeger": p95([probe.span or DEADLINE_SECONDS for probe in probes]),
    }


def _scrapes(stack: Stack, http: httpx.Client) -> Mapping[str, tuple[float, int]]:
    """Median seconds and bytes of /metrics of each service, asked for as Prometheus does."""
    found = {}
    for name in SERVICES:
        if name not in stack.started:
            continue
        took, size = [], 0
        for _ in range(SCRAPES):
            begun = time.perf_counter()
            try:
                answer = http.get(
                    stack.url(name) + "/metrics", headers={"accept": "application/openmetrics-text"}
                )
            except Exception:  # a service without a port has no metrics
                break
            took.append(time.perf_counter() - begun)
            size = len(answer.content)
        if took:
            found[name] = (median(took), size)
    return found


def _memory(stack: Stack) -> dict[str, int]:
    """Resident bytes of each component with its children; those in containers have no process here."""
    found = {}
    for name, state in stack.state().items():
        if state.pid is None:
            continue
        try:
            top = psutil.Process(state.pid)
            family = [top, *top.children(recursive=True)]
            found[name] = sum(each.memory_info().rss for each in family)
        except psutil.NoSuchProcess:
            continue
    return found
