"""What a run tells: the progress line, the summary, the files, and the meter's questions."""

import io
import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from firedrill.clients import Prometheus
from firedrill.load.display import Progress, progress_line
from firedrill.load.measures import PrometheusMeter
from firedrill.load.messages import Plan, Result, Route, Tick
from firedrill.load.summary import Report, Seen, write_summary

PLAN = Plan("steady", 60, 30, 40, {"judge": 0.6, "payer": 0.4}, (), None)
ROUTE = Route(120, 3, 0, 5.25, 20.0, 130.4)
RESULT = Result(
    elapsed=60, unix=5060, asked=1800, sent=1800, done=1790, declined=3, failed=0, missed=0, cpu=6.0,
    stopped=False, errors=(), failures={}, routes={"fds evaluate": ROUTE}, total=ROUTE,
)  # fmt: skip


def tick(second: float, done: int = 0, failed: int = 0) -> Tick:
    """Counts at a second."""
    return Tick(
        second, 5000 + second, 40, 2, 30.0, int(second * 30), int(second * 30), done, 1, failed, 41.6, 0.5
    )


def test_progress_line_holds_what_counts() -> None:
    """Elapsed, users, asked and achieved rate, failures, P95."""
    line = progress_line(PLAN, tick(5, done=140), tick(10, done=290, failed=2))
    assert line == "  10 of 60 s  40 users  asked 30.0/s  achieved 30.0/s  failed 2  declined 1  P95 42 ms"
    assert "achieved 20.0/s" in progress_line(PLAN, tick(1, done=20), tick(1, done=20))


class Clock:
    """Seconds that the ticks move."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.mark.parametrize(("terminal", "lines"), [(True, 20), (False, 4)])
def test_progress_is_redrawn_or_seldom(terminal: bool, lines: int) -> None:
    """On a terminal every tick is shown in place; in a pipe a line every five seconds."""
    stream, clock = io.StringIO(), Clock()
    progress = Progress(PLAN, stream, terminal=terminal, clock=clock)
    for second in range(1, 21):
        clock.now = float(second)
        progress.see(tick(second, done=second * 30))
    assert stream.getvalue().count("40 users") == lines
    assert ("\r" in stream.getvalue()) is terminal
    progress.say("held")
    assert stream.getvalue().endswith("held\n")


def test_summary_says_it_all() -> None:
    """Rates, the table by route, Prometheus's view against the targets, declines apart from failures."""
    text = "\n".join(Report(PLAN, RESULT, Seen("API", 0.25, 0.04)).lines())
    assert "asked 30.0/s, achieved 29.8/s over 60 s (1790 of 1800 requests)" in text
    assert "fds evaluate       120         3       0     5.2      20     130" in text
    assert "intended declines 3; failures 0" in text
    assert "API P95 250 ms (OVER 200 ms), FDS P95 40 ms (within 100 ms)" in text
    assert "used 10% of a core" in text


def test_summary_names_failures_and_gaps() -> None:
    """What failed and how often, what could not leave in time, and what Prometheus does not know."""
    bad = replace(
        RESULT, failed=7, missed=9, failures={"fds evaluate: HTTP 503": 7}, errors=("boom (1 times)",)
    )
    text = "\n".join(Report(PLAN, bad, Seen("API", None, None)).lines())
    assert "failed: fds evaluate: HTTP 503 (7 times)" in text
    assert "9 could not leave in time" in text
    assert "API P95 unknown" in text
    assert "error of the generator: boom" in text
    assert not bad.clean
    assert RESULT.clean


def test_summary_is_kept(tmp_path: Path) -> None:
    """As JSON for programs and as a page for people."""
    write_summary(tmp_path, Report(PLAN, RESULT, Seen("API", 0.1, 0.04), (), ("a finding",)))
    kept = json.loads((tmp_path / "summary.json").read_text())
    assert kept["result"]["routes"]["fds evaluate"]["p95_ms"] == 20.0
    page = (tmp_path / "summary.md").read_text()
    assert "| fds evaluate | 120 | 3 | 0 | 5.2 | 20 | 130 |" in page
    assert "- a finding" in page


def result_of(labels: dict[str, str], value: str) -> dict[str, object]:
    """A series of an instant query."""
    return {"metric": labels, "value": [5000, value]}


def prometheus(answers: dict[str, list[dict[str, object]]]) -> tuple[Prometheus, list[str]]:
    """A Prometheus that answers a query by the first word in it that is known; and what it was asked."""
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        query = request.url.params["query"]
        asked.append(query)
        found = next((series for word, series in answers.items() if word in query), [])
        return httpx.Response(200, json={"data": {"resultType": "vector", "result": found}})

    client = httpx.Client(transport=httpx.MockTransport(handle))
    return Prometheus("http://127.0.0.1:9090", http=client), asked


def test_meter_asks_for_the_shop_where_it_runs() -> None:
    """The API is ecommerce's; without ecommerce, fds's own; pages that nobody buys from are left out."""
    server, asked = prometheus({"ecommerce": [result_of({}, "0.12")], "fds_": [result_of({}, "NaN")]})
    meter = PrometheusMeter(server, started={"ecommerce", "fds"})
    assert meter.api_p95(at=5000, window=15) == 0.12
    assert meter.fds_p95(at=5000, window=15) is None
    assert "[15s]" in asked[0]
    assert "/health" in asked[0]
    bare = PrometheusMeter(server, started={"fds"})
    bare.api_p95(at=5000, window=15)
    bare.payments(at=5000, window=15)
    assert 'job="fds-service"' in asked[-2]
    assert "fds_evaluations_total" in asked[-1]


def test_meter_adds_up_processors() -> None:
    """Processes by instance, Redis by its exporter's figures, the machine by the node exporter's."""
    server, _ = prometheus(
        {
            "(process_cpu": [result_of({"instance": "fds"}, "3")],
            "otelcol_process_cpu_seconds_total": [result_of({"instance": "jaeger"}, "1")],
            "redis_cpu": [result_of({}, "0.5")],
            "count(count": [result_of({}, "2")],
            "node_cpu": [result_of({}, "20")],
        }
    )
    found = PrometheusMeter(server, started=set()).processors(at=5000, window=15)
    assert found.by_process == {"fds": 3.0, "jaeger": 1.0, "redis": 0.5}
    assert (found.machine, found.cores, found.window) == (20.0, 2, 15)
