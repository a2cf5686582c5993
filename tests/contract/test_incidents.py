"""The sandbox's incidents: each can happen as it says, and each place that it sends a trainee to exists."""

import importlib
import json
import re
from pathlib import Path

import pytest
import yaml

from console.sandbox.chosen import shift
from console.sandbox.declared import declared_incidents
from console.sandbox.links import traces_form
from console.sandbox.model import Incident, ServiceFault, Step, StoppedProcess
from console.sandbox.watching import GROUP_INTERVAL_SECONDS
from faults.declared import MAXIMUM_TTL_SECONDS, Fault
from firedrill import promtool
from firedrill.binaries import locate
from firedrill.drill.declared import rule_labels
from firedrill.drill.live import route_times
from firedrill.pace import PACES, pace_expression, seconds
from firedrill.topology import read_topology
from loadtest.drill_streams import STREAMS
from tests.contract.test_runbooks import LABELS, sources

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"/inbox", "/alerts", "/boards", "/logs", "/traces"}
INCIDENTS = declared_incidents(ROOT / "services", ROOT / "config" / "platform")
CORE = {"judgment", "workflow", "fds", "ecommerce", "platform"}
every_incident = pytest.mark.parametrize("incident", INCIDENTS.values(), ids=list(INCIDENTS))
every_step = pytest.mark.parametrize(
    "step",
    [step for one in INCIDENTS.values() for step in one.path],
    ids=[f"{one.name}-{number}" for one in INCIDENTS.values() for number in range(1, len(one.path) + 1)],
)
needs_promtool = pytest.mark.skipif(
    locate("promtool") is None, reason="promtool is not on this machine; get it: firedrill build prometheus"
)


def alerts() -> dict[str, str]:
    """Every alert with its severity."""
    files = [*ROOT.glob("services/*/alerts.yml"), ROOT / "config" / "platform" / "alerts.yml"]
    return {
        name: labels["severity"] for file in files for name, labels in rule_labels(file).items()
    }  # fmt: skip


def fault_of(one: ServiceFault) -> Fault:
    """As the slice declares it."""
    found = {each.name: each for each in importlib.import_module(f"services.{one.service}.faults").FAULTS}
    return found[one.name]


def test_there_are_ten_and_each_slice_has_one() -> None:
    """For the core; a slice that comes later may have more."""
    assert len(INCIDENTS) >= 10
    assert {one.slice for one in INCIDENTS.values()} >= CORE


def test_a_run_waits_for_the_end_of_an_alert_as_long_as_its_route_may_take() -> None:
    """Of each alert that pages in an incident; demo pace is ten times as fast as the file."""
    config = yaml.safe_load((ROOT / "config/alertmanager/alertmanager.yml").read_text("utf-8"))
    files = [*ROOT.glob("services/*/alerts.yml"), ROOT / "config" / "platform" / "alerts.yml"]
    labels = {name: found for file in files for name, found in rule_labels(file).items()}
    for name in {page for one in INCIDENTS.values() for page in one.page}:
        times = route_times(config["route"], {"alertname": name, **labels[name]})
        assert seconds(times["group_interval"]) / 10 == GROUP_INTERVAL_SECONDS, name


def test_exactly_two_mislead() -> None:
    """More would teach to distrust every alert."""
    misleading = [one for one in INCIDENTS.values() if one.misleads]
    assert len(misleading) == 2


@every_incident
def test_what_misleads_does(incident: Incident) -> None:
    """The loudest alert is of another service than the one that is broken, and no answer calls it right."""
    if not incident.misleads:
        return
    loud = next(
        labels["service"]
        for file in [*ROOT.glob("services/*/alerts.yml")]
        for name, labels in rule_labels(file).items()
        if name == incident.loudest
    )
    broken = {one.service for one in incident.breakages if isinstance(one, ServiceFault)}
    assert loud not in broken
    assert incident.level == 3
    where = incident.question("where")
    assert where is not None
    assert where.right.id in broken


@every_incident
def test_its_alerts_exist(incident: Incident) -> None:
    """Those that page, and those that may come along."""
    known = alerts()
    assert {*incident.page, *incident.alerts} <= set(known)
    assert not set(incident.page) & incident.alerts
    assert all(known[name] in {"warning", "critical"} for name in incident.page)


@every_incident
def test_its_faults_exist_with_parameters_in_bounds(incident: Incident) -> None:
    """Every value that a seed may choose; and a fault that does nothing by its parameters is none."""
    processes = set(read_topology(ROOT / "docker-compose.yml", {}).services)
    for one in incident.breakages:
        if isinstance(one, StoppedProcess):
            assert one.process in processes
            continue
        fault = fault_of(one)
        for name, values in one.parameters.items():
            for value in values:
                assert fault.checked({name: value})[name] == value


@every_incident
def test_its_fault_may_last_long_enough(incident: Incident) -> None:
    """At both paces within what the switch allows."""
    for slowness in (1, 10):
        lasts = incident.limits.page * slowness + incident.limits.solve + 30
        assert lasts <= MAXIMUM_TTL_SECONDS


@every_incident
def test_its_traffic_exists(incident: Incident) -> None:
    """As a stream of a drill."""
    assert {one.target for one in incident.traffic} <= set(STREAMS)


@every_incident
def test_its_texts_do_not_name_the_fault(incident: Incident) -> None:
    """What a trainee reads before the end: title, story, file's name; nor does the story name the alert."""
    told = f"{incident.title} {incident.story} {incident.name}".lower()
    for one in incident.breakages:
        words = one.name.split("_") if isinstance(one, ServiceFault) else [one.process]
        assert "_".join(words) not in told
        assert " ".join(words) not in told
    assert not [name for name in incident.page if name.lower() in told]


@every_incident
def test_hints_and_actions_leave_something_to_win(incident: Incident) -> None:
    """All hints together cost less than the questions give."""
    assert sum(hint.cost for hint in incident.hints) < 40
    assert any(step.kind in {"metrics", "board"} for step in incident.path)
    assert any(step.kind == "runbook" for step in incident.path) or incident.level > 1


@every_step
def test_a_step_leads_somewhere(step: Step) -> None:
    """Boards and runbooks exist, log lines are written, spans are made."""
    if step.kind == "board":
        uids = {json.loads(file.read_text("utf-8"))["uid"] for file in ROOT.glob("dashboards/*/*.json")}
        assert step.link in uids
    elif step.kind == "runbook":
        slice_name, alert = step.link.split("/")
        folder = ROOT / ("config" if slice_name == "platform" else "services") / slice_name
        assert (folder / "runbooks" / f"{alert}.md").is_file()
    elif step.kind == "page":
        assert step.link in PAGES
    elif step.kind == "logs":
        _check_logs(step.link)
    elif step.kind == "traces":
        _check_traces(step.link)
    else:
        _check_metrics(step.link)


@needs_promtool
def test_every_query_is_promql(tmp_path: Path) -> None:
    """As promtool reads it, at both paces."""
    queries = [step.link for one in INCIDENTS.values() for step in one.path if step.kind == "metrics"]
    file = tmp_path / "queries.yml"
    rules = [
        {"record": f"query{number}_{pace}", "expr": pace_expression(query, pace)}
        for number, query in enumerate(queries)
        for pace in PACES
    ]
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    promtool.check_rules([file])


def test_any_seed_makes_a_shift() -> None:
    """Three incidents, of which one misleads."""
    for seed in range(50):
        names = shift(INCIDENTS.values(), seed)
        assert sum(bool(INCIDENTS[name].misleads) for name in names) == 1


def _check_logs(query: str) -> None:
    written = sources("services/*/*.py", "telemetry/*.py")
    selectors = re.findall(r"\{([^}]*)\}", query)
    assert selectors
    for name, value in re.findall(r'(\w+)=~?"([^"]*)"', selectors[0]):
        assert name in LABELS
        if name == "service" and value != ".+":
            assert (ROOT / "services" / value).is_dir(), value
    for message in re.findall(r'message="([^"]*)"', query):
        assert f'"{message}"' in written, message


def _check_traces(query: str) -> None:
    form = traces_form(query)
    assert set(form) <= {"service", "operation", "shortest", "tags"}
    code = sources(f"services/{form['service']}/signals.py")
    assert code
    operation = form.get("operation", "")
    assert not operation or f'"{operation}"' in code, operation


def _check_metrics(query: str) -> None:
    known = sources("docs/signals.md", "telemetry/*.py", "services/*/signals.py")
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without) \([^)]*\)', " ", query)
    for name in set(re.findall(r"\b[a-z]+_[a-z0-9_]+\b(?!\s*\()", bare)):
        plain = re.sub(r"_(bucket|sum|count)$", "", name)
        foreign = re.match(r"^(up|pg|redis|otelcol|loki)(_|$)", name)
        assert foreign or f'"{plain}"' in known or f"`{plain}`" in known, name
