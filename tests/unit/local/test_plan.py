"""From docker-compose.yml to processes."""

from pathlib import Path

import pytest

from firedrill.errors import TopologyError
from firedrill.local.layout import Layout
from firedrill.local.plan import Plan, Probe, Program, local_variables, make_plan
from firedrill.settings import Settings

COMPOSE = """
services:
  web:
    command: [uvicorn, "app:app", --host, 0.0.0.0, --port, "8010", --log, /var/log/web/x]
    environment: {DB: "postgres:5432", LOG_FILE: /var/log/web/web.log}
    ports: ["${WEB_PORT:-8010}:8010"]
    volumes: ["service-logs:/var/log/web"]
    depends_on: {postgres: {condition: service_healthy}, grafana: {condition: service_started}}
    x-firedrill: {python: true, ready: "http://self:8010/ready", drop_environment: [LOG_FILE], shows: "web: http://self:8010/x"}
  postgres:
    command: [postgres, -c, max_connections=300]
    expose: ["5432"]
    volumes: ["db:/var/lib/postgresql/data", "./config/sql:/docker-entrypoint-initdb.d:ro"]
    stop_signal: SIGINT
    x-firedrill: {system: postgres, ready: "tcp://self:5432"}
  tail:
    command: ["-config=/etc/tail/tail.yml", "--root=/host"]
    volumes: ["./config/tail.yml:/etc/tail/tail.yml:ro", "service-logs:/var/log/web:ro", "/:/host:ro"]
    x-firedrill: {binary: promtail, component: promtail}
  grafana: {image: g, x-firedrill: {binary: grafana, local: path-only}}
  tempo: {image: t, x-firedrill: {binary: tempo, local: tempo}}
  traffic: {command: [locust], x-firedrill: {python: true}}
  extra: {command: [python], profiles: [more], x-firedrill: {python: true}}
volumes: {service-logs: , db: }
"""


def plan(folder: Path, text: str = COMPOSE, **settings: str) -> Plan:
    (folder / "config" / "sql").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "sql" / "a.sql").write_text("CREATE DATABASE x;")
    (folder / "config" / "tail.yml").write_text("path: /var/log/web/*.log\n")
    (folder / "docker-compose.yml").write_text(text)
    layout = Layout(folder / "state")
    return make_plan(folder, Settings(settings), layout, pace=lambda path, same: same, find=lambda name: None)


def test_a_python_service(tmp_path: Path) -> None:
    """On loopback, names and paths resolved, its log where Promtail reads, no LOG_FILE."""
    web = plan(tmp_path, WEB_PORT="9000").processes["web"]
    logs = tmp_path / "state" / "data" / "service-logs"
    assert web.program == Program("python", "uvicorn")
    assert web.arguments == ("app:app", "--host", "127.0.0.1", "--port", "9000", "--log", f"{logs}/x")
    assert web.environment == {"DB": "127.0.0.1:5432"}
    assert web.probe == Probe("http", 9000, "/ready")
    assert web.log == logs / "web.log"
    assert [one.service for one in web.depends_on] == ["postgres"]


def test_the_database(tmp_path: Path) -> None:
    """A recipe with its data, its scripts and a probe of its own."""
    made = plan(tmp_path).processes["postgres"]
    assert made.arguments == ("-c", "max_connections=300")
    assert made.probe == Probe("postgres", 5432)
    assert made.data == tmp_path / "state" / "data" / "db"
    assert made.scripts == tmp_path / "state" / "config" / "postgres" / "docker-entrypoint-initdb.d"
    assert made.stop_signal == "SIGINT"


def test_a_binary_reads_copies_and_the_machine_itself(tmp_path: Path) -> None:
    """Files of the project are copied to the container's paths under the state; `/` is `/`."""
    made = plan(tmp_path)
    tail = made.processes["tail"]
    own = tmp_path / "state" / "config" / "tail" / "etc" / "tail" / "tail.yml"
    assert tail.arguments == (f"-config={own}", "--root=/")
    assert tail.log == tmp_path / "state" / "logs" / "tail.log"
    written = {file.target: file.content.decode() for file in made.files()}
    assert written[own] == f"path: {tmp_path}/state/data/service-logs/*.log\n"


def test_what_does_not_run_here_is_named_with_its_reason(tmp_path: Path) -> None:
    """Optional parts are off by default."""
    assert plan(tmp_path).left_out == {
        "grafana": "no grafana on PATH",
        "tempo": "starts with TRACES=all",
        "extra": "profile more is not active",
    }
    switched = plan(tmp_path, TRACES="all", TRAFFIC="off", COMPOSE_PROFILES="more")
    assert switched.left_out == {"grafana": "no grafana on PATH", "traffic": "TRAFFIC=off"}


def test_urls_that_are_shown_have_the_ports_that_are_used(tmp_path: Path) -> None:
    """With setting and offset."""
    assert plan(tmp_path, WEB_PORT="9000", PORT_OFFSET="10000").shows == ("web: http://127.0.0.1:19000/x",)


def test_the_collector_and_the_rules_follow_the_settings() -> None:
    """Jaeger alone unless TRACES=all; alerts are sent again ten times as often at demo pace."""
    demo, all_traces = (
        local_variables(Settings({"PACE": "demo"})),
        local_variables(Settings({"PACE": "production", "TRACES": "all"})),
    )
    assert (demo["COLLECTOR_OVERLAY"], demo["RULES_RESEND_DELAY"]) == ("jaeger", "6s")
    assert (all_traces["COLLECTOR_OVERLAY"], all_traces["RULES_RESEND_DELAY"]) == ("tempo", "1m")


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ("{image: x}", "not known what to run for web"),
        ("{x-firedrill: {python: true}}", "web has no command"),
        ("{command: [python], volumes: ['./gone:/x'], x-firedrill: {python: true}}", "mounts ./gone"),
        ("{command: [a, 'http://web:1/'], expose: ['2'], x-firedrill: {python: true}}", "leads nowhere"),
    ],
)
def test_what_cannot_run_is_refused(tmp_path: Path, service: str, says: str) -> None:
    """With the service's name and what to do."""
    with pytest.raises(TopologyError, match=says):
        plan(tmp_path, f"services:\n  web: {service}\n")


def test_a_users_own_folder_is_used_where_it_is(tmp_path: Path) -> None:
    """Not copied, so that new files are seen at once; made at the start unless OWN_DIR names another."""
    text = (
        "services:\n  tail: {command: ['--root=/var/own'], volumes: ['${OWN_DIR:-./own}/logs:/var/own:ro'],"
        " x-firedrill: {binary: promtail, component: promtail}}\n"
    )
    made = plan(tmp_path, text)
    own = tmp_path / "state/own/logs"
    assert made.processes["tail"].arguments == (f"--root={own}",)
    assert own in made.folders
    assert list(made.files()) == []
    with pytest.raises(TopologyError, match="is not there"):
        plan(tmp_path, text, OWN_DIR=str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere/logs").mkdir(parents=True)
    assert own not in plan(tmp_path, text, OWN_DIR=str(tmp_path / "elsewhere")).folders
