"""Dashboards show what was asked for, and name nothing that does not exist; so do the rules."""

import ast
import importlib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill import promtool
from firedrill.binaries import locate
from firedrill.dashboards.catalogue import Catalogue, Declared, catalogue
from firedrill.dashboards.check import check_dashboard, check_empty, check_logql, check_promql, check_rule
from firedrill.dashboards.expressions import expand
from firedrill.dashboards.limits import rules
from firedrill.dashboards.reader import queries, read_dashboards
from firedrill.drill.declared import declared_drills
from telemetry.metrics import Metrics
from telemetry.rendering import handled
from telemetry.request_metrics import RequestMetricNames, RequestMetrics

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/signals.py"))
EXPECTED = yaml.safe_load((ROOT / "tests/contract/expected_signals.yaml").read_text("utf-8"))
WANTED = yaml.safe_load((ROOT / "tests/contract/expected_dashboards.yaml").read_text("utf-8"))["dashboards"]
BOARDS = {made["uid"]: made for made in read_dashboards(ROOT)}
QUERY_BLOCK = re.compile(r"^ *```(promql|logql)\n(.*?)^ *```$", re.M | re.S)


class Recorder(Metrics):
    """Metrics that remember how each one was declared, under the name that a test may give it."""

    def __init__(self, renamed: Mapping[str, str]) -> None:
        self.declared: list[Declared] = []
        self._renamed = renamed
        super().__init__()

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Any:
        self._note(name, "counter", labels)
        return super().counter(name, help, labels)

    def histogram(self, name: str, help: str, labels: Sequence[str] = (), **rest: Any) -> Any:
        self._note(name, "histogram", labels)
        return super().histogram(name, help, labels, **rest)

    def gauge(self, name: str, help: str, labels: Sequence[str] = (), **rest: Any) -> Any:
        self._note(name, "gauge", labels)
        return super().gauge(name, help, labels, **rest)

    def quantiles(self, name: str, help: str, **rest: Any) -> Any:
        self._note(name, "quantiles", ())
        return super().quantiles(name, help, **rest)

    def _note(self, name: str, kind: str, labels: Sequence[str]) -> None:
        self.declared.append(Declared(self._renamed.get(name, name), kind, tuple(labels)))


def declared_by(service: str, renamed: Mapping[str, str]) -> list[Declared]:
    """What a slice declares, with the metrics of its requests."""
    recorder = Recorder(renamed)
    module = importlib.import_module(f"services.{service}.signals")
    takes_clock = "clock" in inspect.signature(module.Signals).parameters
    module.Signals(recorder, **({"clock": lambda: 0.0} if takes_clock else {}))
    RequestMetrics(recorder, getattr(module, "REQUEST_NAMES", RequestMetricNames()))
    return recorder.declared


def declared_in(package: str) -> list[Declared]:
    """Metrics that a package declares by literal names: what every service has from telemetry and faults."""
    calls = [
        node
        for path in sorted((ROOT / package).glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    found = []
    for call in calls:
        if getattr(call.func, "attr", "") in {"counter", "gauge"} and isinstance(call.args[0], ast.Constant):
            labels = ast.literal_eval(call.args[2]) if len(call.args) > 2 else ()
            found.append(Declared(str(call.args[0].value), call.func.attr, labels))  # type: ignore[attr-defined]
    return found


def log_fields(service: str) -> set[str]:
    """Names that a slice's signals.py gives to fields of log lines: keywords of calls, keys of mappings."""
    nodes = list(ast.walk(ast.parse((ROOT / "services" / service / "signals.py").read_text("utf-8"))))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    keys = [key for node in nodes if isinstance(node, ast.Dict) for key in node.keys]
    named = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    return named | {word.arg for call in calls for word in call.keywords if word.arg}


def known(renamed: Mapping[str, str] | None = None) -> Catalogue:
    """What the project declares; `renamed` metrics have another name than in the slices' files."""
    declared = [one for service in SERVICES for one in declared_by(service, renamed or {})]
    declared += [one for package in ("telemetry", "faults", "limits") for one in declared_in(package)]
    request = handled(0, 20, 0, 0, "", "", "", 200, "", 0.0, {})
    fields = set(request.fields).union(*(log_fields(service) for service in SERVICES))
    fields |= {key for one in EXPECTED["services"].values() for keys in one["logs"].values() for key in keys}
    return catalogue(
        ROOT,
        declared,
        log_labels=EXPECTED["loki-labels"],
        log_fields=fields | set(EXPECTED["loki-metadata"]) | set(EXPECTED["every-line"]),
        dashboards=BOARDS,
    )


@pytest.fixture(scope="module")
def everything() -> Catalogue:
    """The project as it is."""
    return known()


def findings(catalogue: Catalogue) -> list[str]:
    """Everything wrong with dashboards and rules."""
    found = [finding for made in BOARDS.values() for finding in check_dashboard(made, catalogue)]
    for rule in rules(ROOT):
        place = rule.get("alert") or rule["record"]
        found += check_rule(f"rule {place}", rule, catalogue)
    return found


def in_runbooks_and_drills(catalogue: Catalogue) -> list[str]:
    """Everything wrong with the queries of runbooks and with the signals of drills."""
    found = []
    for file in [*ROOT.glob("services/*/runbooks/*.md"), *ROOT.glob("config/platform/runbooks/*.md")]:
        for tag, code in QUERY_BLOCK.findall(file.read_text("utf-8")):
            check = check_promql if tag == "promql" else check_logql
            found += [f"runbook {file.stem}: {finding}" for finding in check(code.strip(), catalogue)]
    for drill in declared_drills(ROOT):
        if drill.signal is not None:
            said = check_promql(drill.signal.query, catalogue)
            found += [f"drill {drill.alert}: {finding}" for finding in said]
    return found


def said_all(found: list[str]) -> None:
    """Fail with every finding, one a line: pytest would shorten the list."""
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def changed(uid: str, old: str, new: str) -> dict[str, Any]:
    """A dashboard with a text replaced wherever it stands."""
    text = json.dumps(BOARDS[uid])
    assert old in text
    made: dict[str, Any] = json.loads(text.replace(old, new))
    return made


def test_dashboards_and_rules_name_only_what_exists(everything: Catalogue) -> None:
    """Metrics, labels, jobs, fields of log lines, datasources, variables, runbooks, dashboards."""
    said_all(findings(everything))


def test_runbooks_and_drills_name_only_what_exists(everything: Catalogue) -> None:
    """What a person pastes at night was not renamed in the meantime."""
    said_all(in_runbooks_and_drills(everything))
    lost = in_runbooks_and_drills(known({"fds_sla_violations_total": "fds_late_total"}))
    assert any(one.startswith("runbook FDSSLAViolation: ") for one in lost)
    assert any(one.startswith("drill FDSSLAViolation: ") for one in lost)


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        (
            "fds_sla_violations_total",
            "fds_late_total",
            {"fds-performance: SLA violations", "rule FDSSLAViolation"},
        ),
        (
            "judgment_duration_seconds",
            "judgment_seconds",
            {
                "judgment-performance: Latency P50, P95, P99",
                "rule workflow_id:judgment_duration_seconds:p95_5m",
                "rule JudgmentHighLatency",
            },
        ),
    ],
)
def test_a_renamed_metric_is_named_with_what_lost_it(old: str, new: str, places: set[str]) -> None:
    """Each panel and rule that asks for the old name is said, and no other."""
    found = findings(known({old: new}))
    assert {re.sub(r": (no slice|the metric).*", "", one) for one in found} == places
    assert all(old in one for one in found)


@pytest.mark.parametrize(
    ("uid", "old", "new", "said"),
    [
        ("fds-performance", '"uid": "prometheus"', '"uid": "prom"', "no datasource has the uid 'prom'"),
        ("workflow-status", "$tenant", ".+", "nothing uses the variable $tenant"),
        ("workflow-status", "$tenant", "$company", "there is no variable $company"),
        (
            "workflow-status",
            "sum by (node_type)",
            "sum by (node_kind)",
            "has no label 'node_kind' to group by",
        ),
        ("workflow-status", 'status=\\"failed\\"', 'state=\\"failed\\"', "has no label 'state'"),
        ("workflow-status", "{{node_type}}", "{{node}}", "no label 'node', which its legend"),
        (
            "fds-performance",
            "runbooks/fds/FDSSLA",
            "runbooks/fds/SLA",
            "there is no runbook fds/SLAViolation",
        ),
        ("fds-performance", 'job=\\"fds-service', 'job=\\"fds', "no target has the job 'fds'"),
        (
            "fds-performance",
            "%22datasource%22%3A%22loki%22",
            "%22datasource%22%3A%22lok%22",
            "datasource 'lok'",
        ),
        ("firedrill-start", "/d/fds-performance", "/d/fds", "there is no dashboard 'fds'"),
        ("firedrill-start", "{{.message}}", "{{.massage}}", "no log line has a field 'massage'"),
        ("firedrill-start", "level=~", "severity=~", "log lines have no label 'severity'"),
        ("stack-health", "count(up == 0)", "count(up == 0", "cannot be read"),
    ],
)
def test_what_is_broken_is_said(everything: Catalogue, uid: str, old: str, new: str, said: str) -> None:
    """One mistake of each kind, made on purpose, is found where it stands."""
    found = check_dashboard(changed(uid, old, new), everything)
    assert any(said in one for one in found), found
    assert all(one.startswith(uid) for one in found)


def test_the_dashboard_column_leads_to_dashboards() -> None:
    """What the table of alerts fills in by label_replace are dashboards too."""
    (expr,) = (one.expr for one in queries(BOARDS["firedrill-start"]) if one.place.endswith("Firing now"))
    named = set(re.findall(r'"dashboard", "([^"]+)"', expr))
    assert named
    assert named <= set(BOARDS)


@pytest.mark.skipif(
    locate("promtool") is None, reason="promtool is not on this machine; get it: firedrill build prometheus"
)
def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    """The parser of Prometheus itself, with Grafana's macros and variables filled in."""
    asked = {
        expand(one.expr)
        for made in BOARDS.values()
        for one in queries(made)
        if one.datasource == "prometheus"
    }
    assert len(asked) > 40
    group = {
        "name": "panels",
        "rules": [{"record": f"panel:query{n}", "expr": e} for n, e in enumerate(sorted(asked))],
    }
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [group]}), "utf-8")
    promtool.check_rules([file])


def test_every_dashboard_that_is_wanted_is_there_and_no_other() -> None:
    """By uid, title and folder."""
    made = {
        file.stem: {"title": BOARDS[file.stem]["title"], "folder": file.parent.name}
        for file in ROOT.glob("dashboards/*/*.json")
    }
    assert made == {uid: {"title": one["title"], "folder": one["folder"]} for uid, one in WANTED.items()}


@pytest.mark.parametrize("uid", WANTED)
def test_the_panels_that_are_asked_for_are_there(uid: str) -> None:
    """With a fitting type and the limit that was asked for; an exact dashboard has no others."""
    panels = {panel["title"]: panel for panel in BOARDS[uid]["panels"]}
    for want in WANTED[uid]["panels"]:
        assert want["title"] in panels
        assert panels[want["title"]]["type"] in want["type"]
        steps = panels[want["title"]]["fieldConfig"]["defaults"]["thresholds"]["steps"]
        if "limit" in want:
            assert want["limit"] in [step["value"] for step in steps], want["title"]
    if WANTED[uid]["exact"]:
        assert set(panels) == {want["title"] for want in WANTED[uid]["panels"]}


@pytest.mark.parametrize("uid", WANTED)
def test_a_dashboard_can_be_taken_in_at_a_glance(uid: str) -> None:
    """Ten panels or fewer, the key figure first, each with title, description and unit."""
    panels = BOARDS[uid]["panels"]
    assert 0 < len(panels) <= 10
    assert panels[0]["type"] in {"stat", "gauge"}
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)
    for panel in panels:
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert all(target["expr"] for target in panel["targets"]), panel["title"]


@pytest.mark.parametrize("uid", WANTED)
def test_panels_fill_the_page_and_do_not_overlap(uid: str) -> None:
    """No cell of the grid is taken twice, and none is left empty."""
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARDS[uid]["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]
    height = max(y for _, y in taken) + 1
    assert set(taken) == {(x, y) for x in range(24) for y in range(height)}


@pytest.mark.parametrize("uid", WANTED)
def test_alerts_and_faults_are_marked(uid: str) -> None:
    """Both annotations, and neither hidden in a menu."""
    notes = {note["name"]: note for note in BOARDS[uid]["annotations"]["list"]}
    assert set(notes) == {"Alerts", "Faults"}
    assert notes["Alerts"]["expr"].startswith("ALERTS{")
    assert notes["Faults"]["expr"].startswith("fault_active")
    assert "inControlsMenu" not in json.dumps(BOARDS[uid])


def test_panels_draw_the_limits_of_the_alerts() -> None:
    """Every panel that leads to the runbook of an alert with a limit of its own draws a limit."""
    for uid, made in BOARDS.items():
        for panel in made["panels"]:
            mode = panel["fieldConfig"]["defaults"].get("custom", {}).get("thresholdsStyle", {}).get("mode")
            steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
            if mode == "dashed" or panel["type"] == "gauge":
                assert len(steps) > 1, f"{uid}: {panel['title']}"


def test_dashboards_use_what_the_alerts_use() -> None:
    """Each recording rule of a service's alert stands in a panel, but for the parts of burn rates."""
    asked = " ".join(one.expr for made in BOARDS.values() for one in queries(made))
    names = {rule["record"] for rule in rules(ROOT) if "record" in rule}
    parts = {name for name in names if name.startswith("slo:")}
    assert names - parts
    assert [name for name in sorted(names - parts) if name not in asked] == []
    assert "slo:burn_rate:ratio1h" in asked
    assert "slo:error_budget_remaining:ratio30d" in asked


def test_every_service_with_alerts_has_a_dashboard() -> None:
    """An alert whose service nobody can look at would lead nowhere."""
    folders = {path.parent.name for path in (ROOT / "services").glob("*/alerts.yml")}
    assert folders == {path.parent.name for path in (ROOT / "services").glob("*/dashboard.py")}


def test_panels_empty_in_calm_have_a_drill(everything: Catalogue) -> None:
    """dashboards/empty_in_calm.yml names panels, drills and metrics that exist."""
    declared = yaml.safe_load((ROOT / "dashboards/empty_in_calm.yml").read_text("utf-8"))["panels"]
    drills = {f"{drill.file.parent.name}/{drill.alert}" for drill in declared_drills(ROOT)}
    assert check_empty(declared, BOARDS.values(), drills, everything) == []
    wrong = [{"dashboard": "x", "panel": "y", "drill": "fds/None", "why": ""}]
    assert len(check_empty(wrong, BOARDS.values(), drills, everything)) == 2
    neither = [{"dashboard": "fds-performance", "panel": "SLA violations", "why": ""}]
    assert "either a drill or while" in check_empty(neither, BOARDS.values(), drills, everything)[0]
    renamed = [{**neither[0], "while": "sum(fds_no_such_total) < 1"}]
    assert "fds_no_such_total" in check_empty(renamed, BOARDS.values(), drills, everything)[0]
