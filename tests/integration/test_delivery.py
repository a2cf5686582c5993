"""A real Alertmanager delivers to a real inbox, by every receiver, and elsewhere where a key says so."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from firedrill.binaries import locate
from firedrill.local.layout import Layout
from firedrill.local.plan import make_plan
from firedrill.local.programs import pacer
from firedrill.settings import Settings
from firedrill.wait import poll_until

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 30.0
CONFIG = ROOT / "config/alertmanager/alertmanager.yml"
SYSTEMS = ("ai-factory", "shopfds", "artisan", "aegis", "kerp", "platform", "unheard-of")
SEVERITIES = ("critical", "warning", "none", "info")
KEY = "0123456789abcdef0123456789abcdef"
pytestmark = pytest.mark.skipif(
    locate("alertmanager") is None, reason="alertmanager is not here; get it: firedrill build alertmanager"
)


@dataclass(frozen=True)
class Running:
    """Base addresses of an Alertmanager and its inbox."""

    alertmanager: str
    inbox: str

    def send(self, *labels: Mapping[str, str], resolved: bool = False) -> None:
        """Alerts as Prometheus sends them."""
        now = datetime.now(UTC)
        end = now - timedelta(seconds=1) if resolved else now + timedelta(minutes=5)
        alerts = [
            {
                "labels": dict(one),
                "annotations": {
                    "summary": "It <fails> & fails",
                    "description": "5 % fail, P95 > 1 s",
                    "runbook_url": "http://127.0.0.1:8090/runbooks/a/b",
                    "dashboard_url": "http://127.0.0.1:3002/d/x",
                },
                "startsAt": (now - timedelta(minutes=1)).isoformat(),
                "endsAt": end.isoformat(),
                "generatorURL": "http://127.0.0.1:9090/graph",
            }
            for one in labels
        ]
        httpx.post(f"{self.alertmanager}/api/v2/alerts", json=alerts).raise_for_status()

    def messages(self, **wanted: str) -> list[dict[str, Any]]:
        """What the inbox has, newest first."""
        answer = httpx.get(f"{self.inbox}/api/v1/messages", params={"limit": "1000", **wanted})
        found: list[dict[str, Any]] = answer.json()["messages"]
        return found


class StandIn:
    """Takes what is meant for Slack and PagerDuty, and remembers path and body."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.taken.append((self.path, json.loads(body)))
                self.send_response(202 if self.path.startswith("/v2") else 200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Give the port back."""
        self.server.shutdown()
        self.server.server_close()


def _free_offset() -> int:
    """A PORT_OFFSET at which Alertmanager and the inbox find their ports free."""
    for offset in range(20_000 + os.getpid() % 1000, 22_000, 7):
        try:
            for port in (8090, 1025, 9093):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return offset
    raise AssertionError("no free ports")


@contextmanager
def running(folder: Path, **values: str) -> Iterator[Running]:
    """An Alertmanager with the stack's own configuration, in a hurry, and the inbox of this checkout."""
    offset = _free_offset()
    settings = Settings({"PACE": "demo", "PORT_OFFSET": str(offset), **values})
    plan = make_plan(ROOT, settings, Layout(folder), pace=pacer("demo"), find=lambda name: None)
    for file in plan.files():
        if file.target.is_relative_to(folder / "config" / "alertmanager"):
            file.write()
    binary = locate("alertmanager")
    assert binary is not None
    arguments = list(plan.processes["alertmanager"].arguments)
    config = Path(arguments[0].removeprefix("--config.file="))
    text = re.sub(
        r"(group_wait|group_interval|repeat_interval): \S+", r"\1: 300ms", config.read_text("utf-8")
    )
    config.write_text(text, "utf-8")
    for each in plan.folders:
        each.mkdir(parents=True, exist_ok=True)
    inbox = plan.processes["inbox"]
    environ = {**os.environ, **inbox.environment, "PYTHONPATH": str(ROOT), "OTEL_TRACES_EXPORTER": "none"}
    commands = {
        "alertmanager": [str(binary), *arguments],
        "inbox": [sys.executable, "-m", "uvicorn", *inbox.arguments],
    }
    with (folder / "log").open("wb") as log:
        started = [subprocess.Popen(one, env=environ, stdout=log, stderr=log) for one in commands.values()]
        try:
            found = Running(f"http://127.0.0.1:{9093 + offset}", f"http://127.0.0.1:{8090 + offset}")
            for url in (f"{found.alertmanager}/-/ready", f"{found.inbox}/health/ready"):
                poll_until(lambda url=url: _answers(url), url, DEADLINE_SECONDS)  # type: ignore[misc]  # bound now
            yield found
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                process.wait(timeout=15)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def _labels(system: str, severity: str) -> dict[str, str]:
    return {
        "alertname": "Broken", "system": system, "service": f"api-{severity}", "component": "core",
        "severity": severity, "instance": f"host-{system}-{severity}",
        "slo": f"slo-{system}-{severity}", "burn": "one",
    }  # fmt: skip


def _expected() -> set[tuple[str, str, str]]:
    """Receiver, kind and channel of every delivery but the heartbeat, as the configuration says."""
    kinds = {"slack": "channel", "pagerduty": "", "email": "to", "webhook": ""}
    return {
        (receiver["name"], kind, str(one.get(key, "")).removeprefix("#").partition("@")[0])
        for receiver in yaml.safe_load(CONFIG.read_text("utf-8"))["receivers"]
        if receiver["name"] != "heartbeat"
        for kind, key in kinds.items()
        for one in receiver.get(f"{kind}_configs", ())
    }


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Without any key."""
    with running(tmp_path_factory.mktemp("delivery")) as started:
        yield started


def test_every_receiver_reaches_the_inbox_and_says_when_it_is_over(shared: Running) -> None:
    """Firing and resolved, by each kind, with receiver, channel and all labels that the alert has."""
    alerts = [_labels(system, severity) for system in SYSTEMS for severity in SEVERITIES]
    for status in ("firing", "resolved"):
        shared.send(*alerts, resolved=status == "resolved")
        poll_until(_arrived(shared, status), f"every receiver's {status} notice", DEADLINE_SECONDS)
    for message in shared.messages(alertname="Broken"):
        told = message["labels"]
        assert message["alertname"] == "Broken", message
        assert message["title"] == f"{message['status'].upper()} Broken"
        assert told["system"] in message["receiver"] or message["receiver"] == "inbox"
        assert {"severity", "system", "service", "component"} <= told.keys(), message
        assert "P95 > 1 s" in message["text"]
        assert told["burn"] == "one", message
        links = {link["label"].lower() for link in message["links"]}
        assert {"runbook", "dashboard"} <= links, message
    beat = httpx.get(f"{shared.inbox}/api/heartbeat").json()
    assert beat["last_at"] is not None
    assert not [one for one in shared.messages() if one["receiver"] == "heartbeat"]
    refused = [
        line
        for line in httpx.get(f"{shared.inbox}/metrics").text.splitlines()
        if line.startswith("inbox_messages_refused_total") and not line.endswith(" 0.0")
    ]
    assert refused == []


def _arrived(stack: Running, status: str) -> Callable[[], bool]:
    def check() -> bool:
        found = {
            (one["receiver"], one["kind"], one["channel"])
            for one in stack.messages()
            if one["status"] == status
        }
        missing = _expected() - found
        if missing:
            raise AssertionError(f"not yet: {sorted(missing)}")
        return True

    return check


def test_keys_lead_elsewhere_and_nothing_else_changes(tmp_path: Path) -> None:
    """With a Slack and a PagerDuty key of one system its notices go there; all others go on to the inbox."""
    other = StandIn()
    values = {
        "SLACK_WEBHOOK_URL_SHOPFDS_ALERTS": f"{other.url}/services/T0/B0/s3cret",
        "PAGERDUTY_ROUTING_KEY_SHOPFDS": KEY,
        "PAGERDUTY_URL": f"{other.url}/v2/enqueue",
    }
    with running(tmp_path, **values) as stack:
        stack.send(_labels("shopfds", "critical"), _labels("platform", "critical"))
        poll_until(lambda: len(other.taken) >= 2, "both notices elsewhere", DEADLINE_SECONDS)
        poll_until(lambda: len(stack.messages()) >= 2, "both notices in the inbox", DEADLINE_SECONDS)
        assert {one["receiver"] for one in stack.messages()} == {"platform-critical"}
    paths = dict(other.taken)
    assert paths["/services/T0/B0/s3cret"]["channel"] == "#shopfds-alerts"
    assert paths["/v2/enqueue"]["routing_key"] == KEY
    written = "".join(
        path.read_text("utf-8", "replace")
        for path in tmp_path.rglob("*")
        if path.is_file() and "/delivery/" not in str(path)
    )
    assert "s3cret" not in written
    assert KEY not in written
    other.close()


def test_inhibitions(shared: Running) -> None:
    """Fast hides slow of its objective, TargetDown the warnings of its instance; without the label none."""
    base = {"system": "shopfds", "service": "fds", "component": "fds"}
    shared.send(
        {**base, "alertname": "Fast", "severity": "critical", "slo": "a", "burn": "fast"},
        {**base, "alertname": "TargetDown", "severity": "critical", "instance": "fds"},
        {**base, "alertname": "NoInstanceDown", "severity": "critical", "burn": "fast"},
    )
    poll_until(_active(shared, "Fast", "TargetDown", "NoInstanceDown"), "the sources", DEADLINE_SECONDS)
    shared.send(
        {**base, "alertname": "SlowHidden", "severity": "warning", "slo": "a", "burn": "slow"},
        {**base, "alertname": "SlowOther", "severity": "warning", "slo": "b", "burn": "slow"},
        {**base, "alertname": "SlowNone", "severity": "warning", "burn": "slow"},
        {**base, "alertname": "WarningHidden", "severity": "warning", "instance": "fds"},
        {**base, "alertname": "WarningOther", "severity": "warning", "instance": "ml"},
        {**base, "alertname": "WarningNone", "severity": "warning"},
        {**base, "alertname": "CriticalSame", "severity": "critical", "instance": "fds"},
    )
    shown = {"SlowOther", "SlowNone", "WarningOther", "WarningNone", "CriticalSame"}

    def came() -> bool:
        return shown <= {one["alertname"] for one in shared.messages()}

    poll_until(came, "the alerts that nothing hides", DEADLINE_SECONDS)
    found = httpx.get(f"{shared.alertmanager}/api/v2/alerts", params={"inhibited": "true"}).json()
    hidden = {one["labels"]["alertname"] for one in found if one["status"]["inhibitedBy"]}
    assert hidden == {"SlowHidden", "WarningHidden"}
    assert not hidden & {one["alertname"] for one in shared.messages()}


def _active(stack: Running, *names: str) -> Callable[[], bool]:
    def check() -> bool:
        alerts = httpx.get(f"{stack.alertmanager}/api/v2/alerts").json()
        return set(names) <= {one["labels"]["alertname"] for one in alerts}

    return check
