"""Metrics, logs and traces of the running stack in the terminal, as its backends give them."""

from typing import Protocol

from firedrill.ask.logs import show_search
from firedrill.ask.metrics import show_query
from firedrill.ask.screen import screen
from firedrill.ask.waterfall import parse_id, show_trace
from firedrill.clients import Jaeger, Loki, Prometheus, Tempo, TraceBackend, open_http
from firedrill.errors import NotRunning


class RunningStack(Protocol):
    """The part of firedrill.stack.Stack that ask uses."""

    @property
    def started(self) -> frozenset[str]: ...
    def url(self, service: str, container_port: int | None = None) -> str: ...


def query(promql: str, since: str | None = None) -> int:
    """Print what a PromQL query gives now, or its course over the last `since` (like 15m).

    Raises NotRunning, BackendError (with Prometheus's own message) and UsageError.
    """
    with open_http(timeout_seconds=30.0) as http:
        url = _stack_with("prometheus").url("prometheus")
        return show_query(promql, Prometheus(url, http=http), screen(), since=since)


def search(logql: str, since: str = "15m", limit: int = 100) -> int:
    """Print the newest `limit` log lines of the last `since`, oldest first.

    Raises NotRunning, BackendError (with Loki's own message) and UsageError.
    """
    with open_http(timeout_seconds=30.0) as http:
        url = _stack_with("loki").url("loki")
        return show_search(logql, Loki(url, http=http), screen(), since=since, limit=limit)


def trace(trace_id: str) -> int:
    """Print a trace's waterfall from Jaeger, or else Tempo; 1 when neither has it.

    Raises NotRunning, BackendError and UsageError.
    """
    parse_id(trace_id)
    stack = _stack_with("jaeger", "tempo")
    with open_http(timeout_seconds=30.0) as http:
        backends: list[TraceBackend] = []
        if "jaeger" in stack.started:
            backends.append(Jaeger(stack.url("jaeger"), http=http))
        if "tempo" in stack.started:
            backends.append(Tempo(stack.url("tempo"), http=http))
        return show_trace(trace_id, backends, screen())


def _stack_with(*services: str) -> RunningStack:
    """The running stack; raises NotRunning when it has none of `services`."""
    from firedrill import stack  # noqa: PLC0415  # the runtime is heavy, and tests ask without it

    running = stack.current()
    if not running.started.intersection(services):
        what = f"{' and '.join(services)}: not started in this stack"
        raise NotRunning(what, "", "`firedrill status` shows what runs; `make up` starts it")
    return running
