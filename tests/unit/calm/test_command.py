"""The whole watch on a stack whose Prometheus and inbox are written by hand: exit code, words and files."""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from firedrill.calm.command import INTERRUPTED, run
from firedrill.calm.live import LiveStack
from firedrill.errors import CheckFailed, EnvironmentProblem, NotRunning, UsageError

NOW = 10_000.0
LABELS = {"alertname": "TooSlow", "system": "shop", "severity": "warning"}


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    pace: str = "demo"
    started: frozenset[str] = frozenset({"prometheus", "inbox", "traffic"})

    def url(self, service: str, container_port: int | None = None) -> str:
        return f"http://{service}"


@dataclass
class Backends:
    """Prometheus with one alert, evaluated every 2 s, and the inbox; the queries that were asked are kept."""

    active: str = ""
    fired: bool = False
    held: float = 0.0
    before: str = ""
    beats: float = 1.0
    seconds: float = 60.0
    requests: float = 600.0
    fault: str = ""
    late: float = 0.0
    away: bool = False
    started: float = 0.0
    messages: tuple[Mapping[str, Any], ...] = ()
    since: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused")
        if request.url.host == "inbox":
            self.since.append(float(request.url.params["since"]))
            return httpx.Response(200, json={"messages": list(self.messages)})
        return httpx.Response(200, json={"data": self.prometheus(request)})

    def prometheus(self, request: httpx.Request) -> Any:
        if request.url.path == "/api/v1/alerts":
            beat = {"labels": {"alertname": "Watchdog", "severity": "none"}, "state": "firing"}
            return {"alerts": [beat, *([{"labels": LABELS, "state": self.active}] if self.active else [])]}
        if request.url.path == "/api/v1/rules":
            rule = {"name": "TooSlow", "query": "slow > 10", "duration": 30, "labels": LABELS}
            beat = {"name": "Watchdog", "query": "vector(1)", "duration": 0, "labels": {"severity": "none"}}
            return {"groups": [{"interval": 2, "rules": [rule, beat]}]}
        if request.url.path == "/api/v1/status/runtimeinfo":
            return {"startTime": f"{datetime.fromtimestamp(self.started, UTC).isoformat()[:19]}.000000123Z"}
        query = request.url.params["query"]
        if request.url.path == "/api/v1/query_range" and query.startswith("ALERTS"):
            first = float(request.url.params["start"]) + self.late
            return {"resultType": "matrix", "result": [{"metric": {}, "values": [[first, "1"], [NOW, "1"]]}]}
        if request.url.path == "/api/v1/query_range":
            return {"resultType": "matrix", "result": [{"metric": {}, "values": [[NOW, "4"]]}]}
        return {"resultType": "vector", "result": list(self.answer(query))}

    def answer(self, query: str) -> Iterator[Any]:
        if query.startswith("max(count_over_time(ALERTS"):
            yield sample({}, self.beats * self.seconds / 2)
        elif "count_over_time(ALERTS" in query and self.fired:
            yield sample(LABELS, 3)
        elif "ALERTS_FOR_STATE" in query and self.held:
            yield sample(LABELS, self.held)
        elif query.startswith("ALERTS{severity") and self.before:
            yield sample({**LABELS, "alertstate": self.before}, 1)
        elif "fault_active" in query and self.fault:
            yield sample({"instance": "fds", "fault": self.fault}, 1)
        elif "requests_total" in query:
            yield sample({}, self.requests)


def sample(labels: Mapping[str, str], value: float) -> Any:
    """One of an instant query."""
    return {"metric": labels, "value": [NOW, str(value)]}


@dataclass
class Clock:
    """Time that passes when somebody pauses; after `interrupted_after` pauses the user presses Ctrl-C."""

    now: float = NOW
    interrupted_after: int = 1000
    pauses: int = 0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses += 1
        if self.pauses > self.interrupted_after:
            raise KeyboardInterrupt
        self.now += seconds


@dataclass
class Watch:
    """Runs a watch and keeps what it said and wrote."""

    folder: Path
    said: io.StringIO = field(default_factory=io.StringIO)

    def __call__(
        self, backends: Backends, *, stack: Stack | None = None, clock: Clock | None = None, **options: Any
    ) -> int:
        time = clock or Clock()
        with client(backends) as http:
            found = stack or Stack()
            return run(
                Console(file=self.said, width=200),
                found,
                LiveStack(found, http=http),
                files=[self.folder / "calm.md"],
                clock=time,
                pause=time.pause,
                **{"minutes": 1.0, "past": False, **options},
            )

    @property
    def document(self) -> Any:
        return json.loads((self.folder / "calm.json").read_text("utf-8"))


@contextmanager
def client(backends: Backends) -> Iterator[httpx.Client]:
    """An HTTP client that reaches `backends` and nothing else."""
    with httpx.Client(transport=httpx.MockTransport(backends)) as http:
        yield http


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """Writes into a folder of the test."""
    return Watch(tmp_path / "reports")


def test_calm(watch: Watch) -> None:
    """Nothing fired: 0, and the report says how near the alert came."""
    backends = Backends()
    assert watch(backends) == 0
    assert (
        "calm: none of 1 alerts fired in 1.0 minutes at demo pace, 10.0 requests a second"
        in watch.said.getvalue()
    )
    assert watch.document["calm"] is True
    assert watch.document["courses"][0]["closest"]["share"] == pytest.approx(0.4)
    text = (watch.folder / "calm.md").read_text("utf-8")
    assert "| shop/TooSlow | no |  | 30 s | 40% | `slow` was 4, it takes > 10 |" in text
    assert backends.since == [NOW]


def test_a_false_alarm(watch: Watch) -> None:
    """Named, also when it has ended by then."""
    assert watch(Backends(fired=True, held=40.0)) == 1
    assert (
        "false alarms in 1.0 minutes at demo pace, 10.0 requests a second: TooSlow" in watch.said.getvalue()
    )
    assert "| shop/TooSlow | yes | 40 s | 30 s |" in (watch.folder / "calm.md").read_text("utf-8")


def test_a_message_without_an_alert(watch: Watch) -> None:
    """Somebody was told: no calm. What resolved, or is an event of Sentry, is no such message."""

    def message(status: str) -> Mapping[str, Any]:
        return {
            "alertname": "TooSlow", "receiver": "shop", "kind": "slack", "status": status, "labels": LABELS,
        }  # fmt: skip

    assert watch(Backends(messages=(message("resolved"), message("unknown")))) == 0
    assert watch(Backends(messages=(message("firing"),))) == 1
    assert "TooSlow, slack of receiver shop" in (watch.folder / "calm.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("backends", "why"),
    [
        (Backends(fault="cti_slow"), "something was broken meanwhile: fds/cti_slow"),
        (Backends(before="pending"), "it was not calm when the time began: TooSlow (pending)"),
        (Backends(beats=0.5), "the rules were asked only 50% of the time"),
        (Backends(beats=0.0), "the rules were asked only 0% of the time"),
        (Backends(requests=0.0), "the services answered no request"),
    ],
)
def test_a_time_that_does_not_count(watch: Watch, backends: Backends, why: str) -> None:
    """It is not called calm, and the reason is told."""
    assert watch(backends, past=True) == 1
    assert f"does not count: {why}" in watch.said.getvalue()
    assert watch.document["calm"] is False


def test_what_comes_up_is_told_at_once(watch: Watch) -> None:
    """And again only when it changes."""
    backends = Backends()

    class Later(Clock):
        def pause(self, seconds: float) -> None:
            super().pause(seconds)
            backends.active = "pending" if self.now > NOW + 20 else ""

    assert watch(backends, clock=Later()) == 0
    assert watch.said.getvalue().count("minutes left: TooSlow (pending)") == 1


def test_a_silent_prometheus_does_not_end_the_watch(watch: Watch) -> None:
    """It is told once; what was not evaluated meanwhile counts at the end."""
    backends = Backends()

    class Gone(Clock):
        def pause(self, seconds: float) -> None:
            super().pause(seconds)
            backends.away = NOW + 20 < self.now < NOW + 40

    assert watch(backends, clock=Gone()) == 0
    assert watch.said.getvalue().count("minutes left: nobody knows: Prometheus") == 1


def test_it_must_be_calm_to_begin_with(watch: Watch) -> None:
    """Refused at once, rather than after half an hour."""
    with pytest.raises(CheckFailed, match="not calm now"):
        watch(Backends(active="firing"))
    with pytest.raises(CheckFailed, match="no calm to watch"):
        watch(Backends(fault="cti_slow"))


def test_interrupted(watch: Watch) -> None:
    """What has been until then is judged, and the exit code is the shell's."""
    assert watch(Backends(seconds=50.0), clock=Clock(interrupted_after=10)) == INTERRUPTED
    assert "in 0.8 minutes" in watch.said.getvalue()


def test_looking_back_does_not_wait_and_ends_at_the_start_of_the_stack(watch: Watch) -> None:
    """Of the ten minutes that were asked for there are only four."""
    clock = Clock()
    backends = Backends(seconds=240.0, started=NOW - 240)
    assert watch(backends, clock=clock, past=True, minutes=10.0) == 0
    assert "in 4.0 minutes" in watch.said.getvalue()
    assert backends.since == [NOW - 240]
    assert clock.pauses == 0


def test_a_start_counts_from_the_first_evaluation(watch: Watch) -> None:
    """While Prometheus itself starts there is nobody to ask; that is not held against it."""
    assert watch(Backends(seconds=52.0, late=8.0), past=True) == 0
    assert "in 0.9 minutes" in watch.said.getvalue()


def test_what_proves_nothing_is_refused(watch: Watch) -> None:
    """Too short a time, no traffic, a stack that has just started."""
    with pytest.raises(UsageError, match="too short"):
        watch(Backends(), minutes=0.1)
    with pytest.raises(EnvironmentProblem, match="silence without traffic"):
        watch(Backends(), stack=Stack(started=frozenset({"prometheus"})))
    with pytest.raises(NotRunning, match="not enough to look back on"):
        watch(Backends(started=NOW - 10), past=True)
