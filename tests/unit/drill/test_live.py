"""The running stack as a drill sees it: what is asked of each API, and what is read from its answer."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import yaml

from firedrill.clients import Unreachable
from firedrill.drill.live import route_times as times_of
from firedrill.drill.live import surroundings
from firedrill.drill.model import Deadlines, Drill, Fault, Signal, TrafficPlan
from firedrill.drill.ports import ActiveAlert, Pulse, Surroundings
from firedrill.drill.traffic import TrafficProcess
from firedrill.errors import CheckFailed, EnvironmentProblem
from firedrill.pace.check import PROJECT
from firedrill.wait import poll_until

LABELS = {"severity": "critical", "system": "ai-factory"}
DRILL = Drill(
    alert="A",
    file=Path("services/judgment/drills.yml"),
    labels=LABELS,
    fault=Fault("judgment", "execution_error", {"rate": 0.05}),
    traffic=TrafficPlan("judgment", 1.0, "x"),
    signal=Signal("x", "x", above=0.0),
    ideal=(),
    deadlines={"demo": Deadlines(1, 1)},
    notices=(),
)
RULE = {
    "type": "alerting",
    "name": "A",
    "query": "x > 1",
    "duration": 18,
    "keepFiringFor": 0,
    "labels": LABELS,
    "annotations": {"summary": "s"},
    "alerts": [],
    "health": "ok",
    "lastEvaluation": "2026-11-21T10:00:00.5Z",
}
OTHER = {**RULE, "labels": {**LABELS, "system": "kerp"}, "duration": 1, "query": "y"}
RECORD = {"type": "recording", "name": "r", "query": "sum(x)", "health": "ok"}
ANSWERS: dict[str, object] = {
    "/prometheus/api/v1/rules": {
        "data": {
            "groups": [
                {"name": "other", "file": "kerp/alerts.yml", "interval": 1.5, "rules": [OTHER]},
                {"name": "own", "file": "judgment/alerts.yml", "interval": 1.5, "rules": [RECORD, RULE]},
            ]
        }
    },
    "/prometheus/api/v1/alerts": {
        "data": {
            "alerts": [
                {
                    "labels": {"alertname": "A"},
                    "state": "pending",
                    "activeAt": "2026-11-21T10:00:00.123456789Z",
                }
            ]
        }
    },
    "/prometheus/api/v1/status/config": {"data": {"yaml": "global:\n  scrape_interval: 1s500ms\n"}},
    "/prometheus/api/v1/query": {
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "0.5"]}]}
    },
    "/alertmanager/api/v2/status": {
        "config": {"original": "route:\n  receiver: inbox\n  group_wait: 1s\n  group_interval: 30s\n"}
    },
    "/prometheus/api/v1/status/flags": {"data": {"rules.alert.resend-delay": "6s"}},
    "/inbox/api/heartbeat": {"alive": False, "last_at": 4.5, "silent_seconds": 20, "limit_seconds": 18},
    "/inbox/api/v1/messages": {
        "messages": [
            {
                "kind": "slack",
                "receiver": "inbox",
                "channel": "#alerts",
                "received_at": 5.5,
                "status": "firing",
                "alertname": "A",
                "labels": LABELS,
                "title": "FIRING A",
            },
            {
                "kind": "webhook",
                "receiver": "inbox",
                "channel": None,
                "received_at": 5.6,
                "status": "firing",
                "alertname": None,
                "labels": {},
                "title": None,
            },
        ]
    },
}


SET = {"name": "execution_error", "help": "h", "parameters": [], "active": None}


class Stack:
    """A stack whose services are paths of one address."""

    runtime, pace, root = "local", "demo", PROJECT
    started = frozenset({"prometheus", "loki", "jaeger", "judgment"})

    def __init__(self, token: str = "secret") -> None:
        self.settings: Mapping[str, str] = {"FAULTS_TOKEN": token}

    def url(self, service: str, container_port: int | None = None) -> str:
        return f"http://stack/{service}"


def around(asked: list[httpx.Request] | None = None, *, status: int = 200) -> Surroundings:
    """A stack that answers from ANSWERS, and to writes with `status`."""

    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        if request.method != "GET":
            return (
                httpx.Response(status, json=SET) if status == 200 else httpx.Response(status, text="why not")
            )
        return httpx.Response(200, json=ANSWERS[request.url.path])

    return surroundings(Stack(), httpx.Client(transport=httpx.MockTransport(answer)))


def test_the_loaded_rule_is_the_one_with_the_slices_labels() -> None:
    """With its slice's groups as a rule file that promtool can run; without the namesake of another slice."""
    rule = around().metrics.rule(DRILL)
    assert (rule.expression, rule.for_seconds, rule.evaluation_seconds) == ("x > 1", 18.0, 1.5)
    [group] = yaml.safe_load(rule.rule_file)["groups"]
    assert group["interval"] == "1s500ms"
    assert group["rules"] == [
        {"record": "r", "expr": "sum(x)", "labels": {}},
        {"alert": "A", "expr": "x > 1", "labels": LABELS, "for": "18s", "keep_firing_for": "0s"},
    ]


def test_a_rule_that_is_not_loaded_is_said_so() -> None:
    """Prometheus may run other rules than the checkout has."""
    drill = Drill(**{**DRILL.__dict__, "alert": "B"})
    with pytest.raises(CheckFailed, match="Prometheus has no rule B"):
        around().metrics.rule(drill)


def test_alerts_values_and_times_are_read() -> None:
    """activeAt has nanoseconds, durations have Prometheus's form."""
    stack = around()
    [alert] = stack.metrics.active()
    assert (alert.name, alert.state) == ("A", "pending")
    assert alert.active_at == pytest.approx(1795255200.123456)
    assert stack.metrics.value("x") == 0.5
    assert stack.metrics.scrape_seconds() == 1.5
    assert stack.notifier.group_times(LABELS) == (1.0, 30.0)


def test_a_course_is_made_of_samples_as_they_were_scraped() -> None:
    """Asked for as such: at steps Prometheus would go on with the last one after a stop."""
    asked: list[httpx.Request] = []
    result = [
        {"metric": {"code": "200"}, "values": [[1.0, "7"], [2.5, "9"], [4.0, "1"]]},
        {"metric": {"code": "500"}, "values": [[4.0, "3"]]},
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"data": {"resultType": "matrix", "result": result}})

    metrics = surroundings(Stack(), httpx.Client(transport=httpx.MockTransport(answer))).metrics
    assert metrics.course('x{le="1"}', end=4.0, step=1.5, count=3) == (0.0, 2.0, 3.0)
    assert asked[0].url.path.endswith("/api/v1/query")
    assert (asked[0].url.params["query"], asked[0].url.params["time"]) == ('x{le="1"}[4500ms]', "4.0")


def test_the_heartbeat_is_read_from_the_inbox() -> None:
    """Whether it is alive, when it was heard, and the limit."""
    assert around().heartbeat.pulse() == Pulse(False, 4.5, 18.0)


def test_resend_delay_and_last_evaluation_are_prometheus_own() -> None:
    """Both are in the bound of a heartbeat."""
    assert around().metrics.resend_seconds() == 6.0
    assert around().metrics.evaluated_at(DRILL) == pytest.approx(1795255200.5)


def test_others_of_the_same_group_are_counted() -> None:
    """What fired lately with the same name, system and service, the alert itself left out."""
    own = {"alertname": "A", "system": "s", "service": "x", "instance": "1"}
    series = [
        {"metric": {"alertstate": "firing", **own, "instance": instance}, "value": [1, "3"]}
        for instance in ("1", "2", "3")
    ]
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["query"])
        return httpx.Response(200, json={"data": {"resultType": "vector", "result": series}})

    metrics = surroundings(Stack(), httpx.Client(transport=httpx.MockTransport(answer))).metrics
    assert metrics.fired_besides(ActiveAlert("A", own, "firing", 0.0), seconds=900) == 2
    matchers = '{alertname="A",alertstate="firing",system="s",service="x"}'
    assert asked == [f"count_over_time(ALERTS{matchers}[900s])"]


@pytest.mark.parametrize(
    ("alerts", "words"),
    [
        ([], "holds no such alert"),
        ([("active", [], [])], "has it since 10:00:00 UTC, active"),
        ([("suppressed", ["x"], [])], "has it since 10:00:00 UTC, suppressed, inhibited"),
        ([("suppressed", [], ["y"])], "has it since 10:00:00 UTC, suppressed, silenced"),
    ],
)
def test_alertmanager_is_asked_what_it_holds(
    alerts: list[tuple[str, list[str], list[str]]], words: str
) -> None:
    """By all labels that are known."""
    asked: list[list[str]] = []
    body = [
        {"startsAt": "2026-11-21T10:00:00.5Z",
         "status": {"state": state, "inhibitedBy": inhibited, "silencedBy": silenced}}
        for state, inhibited, silenced in alerts
    ]  # fmt: skip

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get_list("filter"))
        return httpx.Response(200, json=body)

    notifier = surroundings(Stack(), httpx.Client(transport=httpx.MockTransport(answer))).notifier
    assert notifier.held({"alertname": "A", "system": "s"}) == words
    assert asked == [['alertname="A"', 'system="s"']]


def test_messages_are_asked_for_since_a_moment() -> None:
    """A channel reads without its #; a message without an alert's name is kept."""
    asked: list[httpx.Request] = []
    first, second = around(asked).inbox.messages(since=4.0)
    assert asked[0].url.params["since"] == "4.0"
    assert (first.kind, first.channel, first.received_at) == ("slack", "alerts", 5.5)
    assert (second.channel, second.alertname) == ("", "")


def test_faults_are_set_and_cleared_with_the_token() -> None:
    """As the fault routes want it."""
    asked: list[httpx.Request] = []
    faults = around(asked).faults
    faults.set(DRILL.fault, ttl_seconds=105)
    faults.clear(DRILL.fault)
    assert [request.method for request in asked] == ["PUT", "DELETE"]
    assert {request.url.path for request in asked} == {"/judgment/faults/execution_error"}
    assert {request.headers["authorization"] for request in asked} == {"Bearer secret"}
    assert json.loads(asked[0].content) == {"parameters": {"rate": 0.05}, "ttl_seconds": 105}


def test_a_refused_fault_says_what_to_compare() -> None:
    """A stack that was started with another token, for instance."""
    with pytest.raises(EnvironmentProblem, match="judgment takes no faults") as refused:
        around(status=401).faults.set(DRILL.fault, ttl_seconds=1)
    assert "HTTP 401: why not" in str(refused.value)
    assert "FAULTS_TOKEN" in str(refused.value)


def test_a_service_that_is_away_is_unreachable() -> None:
    """Which the runner tries again when it heals."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    stack = surroundings(Stack(), httpx.Client(transport=httpx.MockTransport(refuse)))
    with pytest.raises(Unreachable, match="judgment does not answer"):
        stack.faults.clear(DRILL.fault)


def test_without_a_token_no_drill_begins() -> None:
    """One clear error instead of a 401 later."""
    with pytest.raises(EnvironmentProblem, match="faults cannot be set"):
        surroundings(Stack(token=""))


TREE = {
    "receiver": "a",
    "group_wait": "1s",
    "routes": [
        {
            "matchers": ['system="kerp"'],
            "group_wait": "3s",
            "routes": [{"matchers": ["severity=critical"], "group_interval": "9s"}],
        },
        {"matchers": ['system=~"ai-.*"', 'severity!="none"'], "group_interval": "7s"},
    ],
}


@pytest.mark.parametrize(
    ("labels", "wait", "interval"),
    [
        ({"system": "kerp", "severity": "critical"}, "3s", "9s"),
        ({"system": "kerp"}, "3s", "5m"),
        ({"system": "ai-factory"}, "1s", "7s"),
        ({"system": "ai-factory", "severity": "none"}, "1s", "5m"),
        ({}, "1s", "5m"),
    ],
)
def test_the_group_times_are_those_of_the_alerts_route(
    labels: dict[str, str], wait: str, interval: str
) -> None:
    """The first child that matches, deeper first, with what its parents say, and Alertmanager's defaults."""
    assert times_of(TREE, labels) == {"group_wait": wait, "group_interval": interval}


def test_a_matcher_of_another_form_is_refused() -> None:
    """Rather than walked past."""
    with pytest.raises(CheckFailed, match="cannot be read"):
        times_of({"routes": [{"matchers": ["{a=b}"]}]}, {})


LOADER = """
import json, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print(json.dumps({"sent": 3}), flush=True), sys.exit(0)))
print("ready", file=sys.stderr, flush=True)
time.sleep(60)
"""


def test_traffic_ends_on_request_and_tells_what_it_sent(tmp_path: Path) -> None:
    """By SIGTERM; asked twice, it says the same."""
    traffic = TrafficProcess([sys.executable, "-c", LOADER], folder=tmp_path)
    poll_until(lambda: "ready" in traffic.said(), "the loader's start", 10, interval=0.02)
    assert traffic.ended() is None
    assert traffic.stop() == {"sent": 3}
    assert traffic.stop() == {"sent": 3}


PARENT = """
import sys
from firedrill.drill.traffic import LiveTraffic
traffic = LiveTraffic(lambda service: sys.argv[1]).start("fds", rate=1, seconds=60)
print(traffic._process.pid, flush=True)
traffic._process.wait()
"""


def test_traffic_ends_with_the_process_that_asked_for_it() -> None:
    """Also when that is killed and can stop nothing."""
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.settimeout(30)
        address = f"http://127.0.0.1:{service.getsockname()[1]}"
        command = [sys.executable, "-c", PARENT, address]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            status = Path(f"/proc/{parent.stdout.readline().strip()}/stat")
            service.accept()[0].close()  # it runs
            assert status.exists()
            parent.kill()
        poll_until(lambda: not status.exists() or ") Z " in status.read_text(), "the traffic's end", 20)


def test_traffic_that_cannot_start_says_why(tmp_path: Path) -> None:
    """With its own last words."""
    traffic = TrafficProcess([sys.executable, "-c", "raise SystemExit('no such host')"], folder=tmp_path)
    why = poll_until(traffic.ended, "the end", 10, interval=0.02)
    assert why is not None
    assert "code 1" in why
    assert "no such host" in why
    assert traffic.stop() == {}


def test_the_clock_is_the_machines() -> None:
    """Unix seconds, as Prometheus and the inbox give them."""
    clock = around().clock
    before = time.time()
    clock.pause(0.001)
    assert before < clock.now() <= time.time()
