"""Every alert has its tests, its drill and its runbook, complete and consistent, and the other way round."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill import promtool
from firedrill.binaries import locate
from firedrill.drill import floors
from firedrill.drill.bound import History, lower_bound
from firedrill.drill.declared import declared_drills
from firedrill.drill.model import Drill
from firedrill.drill.ports import LoadedRule, Timings
from firedrill.pace import PACES, comparisons, pace_duration, pace_expression, pace_file, seconds
from firedrill.pace.check import PROJECT, materialise, rule_files
from firedrill.pace.promql import tokenize

LABELS = {"severity", "system", "service", "component"}
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url"}
SEVERITIES = {"critical", "warning", "none"}
INBOX, GRAFANA = "http://127.0.0.1:8090", "http://127.0.0.1:3002"

Rule = dict[str, Any]


def _slices() -> list[Path]:
    return [file.parent for file in rule_files(PROJECT)]


def _alerts() -> list[tuple[Path, Rule]]:
    return [
        (file.parent, rule)
        for file in rule_files(PROJECT)
        for group in yaml.safe_load(file.read_text("utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def _name(value: object) -> str:
    if isinstance(value, Path):
        return value.name
    if isinstance(value, Drill):
        return value.alert
    return str(value["alert"]) if isinstance(value, dict) else str(value)


needs_promtool = pytest.mark.skipif(
    locate("promtool") is None, reason="promtool is not on this machine; get it: firedrill build prometheus"
)
needs_amtool = pytest.mark.skipif(
    locate("amtool") is None, reason="amtool is not on this machine; get it: firedrill build alertmanager"
)
every_alert = pytest.mark.parametrize(("folder", "rule"), _alerts(), ids=_name)
every_slice = pytest.mark.parametrize("folder", _slices(), ids=_name)
every_drill = pytest.mark.parametrize("drill", declared_drills(PROJECT), ids=_name)


@every_alert
def test_an_alert_has_its_labels_and_annotations(folder: Path, rule: Rule) -> None:
    """The four labels that routing and drills need, and the four annotations that a person needs."""
    assert set(rule["labels"]) == LABELS
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == ANNOTATIONS
    assert "$value" in rule["annotations"]["description"], "the description says no value"
    assert rule["annotations"]["runbook_url"] == f"{INBOX}/runbooks/{folder.name}/{rule['alert']}"
    assert rule["annotations"]["dashboard_url"].startswith(f"{GRAFANA}/d/")


@every_alert
def test_a_dashboard_link_leads_to_a_dashboard_of_ours(folder: Path, rule: Rule) -> None:
    """Its uid is one of dashboards/."""
    dashboards = (json.loads(file.read_text("utf-8")) for file in PROJECT.glob("dashboards/**/*.json"))
    uids = {dashboard["uid"] for dashboard in dashboards}
    assert rule["annotations"]["dashboard_url"].removeprefix(f"{GRAFANA}/d/").partition("/")[0] in uids


@every_alert
def test_a_ratio_asks_for_enough_traffic(folder: Path, rule: Rule) -> None:
    """At least so many events and failures as firedrill/drill/floors.py says; no alert divides without."""
    tokens = [token.text for token in tokenize(rule["expr"]) if token.kind == "operator"]
    asked = {(one.operator, one.right) for one in comparisons(rule["expr"])}
    if "/" in tokens:
        assert {(">=", str(floors.EVENTS)), (">=", str(floors.FAILURES))} <= asked


@every_slice
def test_alerts_tests_drills_and_runbooks_go_by_the_same_names(folder: Path) -> None:
    """Whichever is missing is named here."""
    alerts = {rule["alert"] for own, rule in _alerts() if own == folder}
    tests = (folder / "alerts_test.yml").read_text("utf-8")
    drills = {drill.alert for drill in declared_drills(PROJECT) if drill.file.parent == folder}
    runbooks = {file.stem for file in (folder / "runbooks").glob("*.md")}
    assert {name for name in alerts if name not in tests} == set(), "alerts without promtool tests"
    assert drills == alerts, "drills.yml and alerts.yml"
    assert runbooks == alerts, "runbooks/ and alerts.yml"


@every_slice
def test_prometheus_loads_the_rules(folder: Path) -> None:
    """A rule file that prometheus.yml does not name would be silence."""
    config = yaml.safe_load((PROJECT / "config/prometheus/prometheus.yml").read_text("utf-8"))
    assert str(folder.relative_to(PROJECT) / "alerts.yml") in config["rule_files"]


def test_no_slice_has_drills_or_runbooks_without_rules() -> None:
    """Found by the files, so that a lost alerts.yml is noticed."""
    slices = set(_slices())
    for file in [*PROJECT.glob("services/*/drills.yml"), *PROJECT.glob("services/*/runbooks/*.md")]:
        folder = file.parent if file.name == "drills.yml" else file.parent.parent
        assert folder in slices, f"{file} has no alerts.yml"


@needs_promtool
@every_slice
def test_the_promtool_tests_pass(folder: Path, tmp_path: Path) -> None:
    """Each case by name; the slice is copied, so that nothing is written beside it."""
    for name in ("alerts.yml", "alerts_test.yml"):
        (tmp_path / name).write_text((folder / name).read_text("utf-8"))
    cases = promtool.run_tests(tmp_path / "alerts_test.yml")
    assert cases
    assert {case.name: case.failures for case in cases if case.failures} == {}


@needs_promtool
@needs_amtool
@pytest.mark.parametrize("pace", PACES)
def test_rules_and_configs_are_valid_at_both_paces(pace: str, tmp_path: Path) -> None:
    """With every lint of promtool fatal."""
    for _, check in materialise(PROJECT, tmp_path, pace):
        check()


def _loaded(drill: Drill, pace: str) -> LoadedRule:
    """The drill's rule as Prometheus loads it at `pace`."""
    path = drill.file.with_name("alerts.yml")
    text = pace_file(path, path.read_text("utf-8"), pace)
    rules = (rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"])
    rule = next(rule for rule in rules if rule.get("alert") == drill.alert)
    return LoadedRule(rule["expr"], seconds(rule.get("for", "0")), 1.5 if pace == "demo" else 15.0, text)


@needs_promtool
@every_drill
@pytest.mark.parametrize("pace", PACES)
def test_a_drills_fault_carries_its_rule_and_the_deadlines_leave_room(drill: Drill, pace: str) -> None:
    """The rule fires and clears on the ideal series in time, without background traffic and with bad luck."""
    rule = _loaded(drill, pace)
    wait, interval = (seconds(pace_duration(text, pace)) for text in ("10s", "5m"))
    timings = Timings(rule.evaluation_seconds, wait, interval)
    found = lower_bound(drill, rule, timings, History(0.0, drill.traffic.rate, 4 * rule.evaluation_seconds))
    deadlines = drill.deadlines[pace]
    late = found.cleared(late=timings.scrape + rule.evaluation_seconds)
    assert found.usual is not None
    assert late is not None
    assert found.usual < deadlines.fire < 3 * found.usual
    assert (
        late + interval < deadlines.clear
    )  # one group_interval more, when the window drains just after a tick


@needs_promtool
@every_drill
@pytest.mark.parametrize("pace", PACES)
def test_without_the_fault_the_rule_stays_quiet_under_the_drills_traffic(drill: Drill, pace: str) -> None:
    """The traffic alone fires nothing: the ideal series stay healthy."""
    ideal = tuple(type(one)(one.series, one.healthy, one.healthy) for one in drill.ideal)
    quiet = Drill(**{**drill.__dict__, "ideal": ideal})
    rule = _loaded(drill, pace)
    timings = Timings(rule.evaluation_seconds, 1.0, 30.0)
    found = lower_bound(quiet, rule, timings, History(1.0, drill.traffic.rate, 4 * rule.evaluation_seconds))
    assert (found.crosses, found.fires) == (None, None)


@needs_promtool
@every_drill
@pytest.mark.parametrize("pace", PACES)
def test_a_rule_ten_times_too_lax_fails_its_drill(drill: Drill, pace: str) -> None:
    """The fault lies below ten times the threshold, so that a drill proves the threshold too."""
    rule = _loaded(drill, pace)
    first = comparisons(rule.expression)[0]
    lax = f"{float(first.right) * 10:g}"
    text = rule.rule_file.replace(f"> {first.right}", f"> {lax}", 1)
    assert text != rule.rule_file
    changed = LoadedRule(rule.expression, rule.for_seconds, rule.evaluation_seconds, text)
    timings = Timings(rule.evaluation_seconds, 1.0, 30.0)
    found = lower_bound(
        drill, changed, timings, History(1.0, drill.traffic.rate, 4 * rule.evaluation_seconds)
    )
    assert found.crosses is None


@needs_promtool
@every_drill
def test_a_drills_queries_are_valid_at_both_paces(drill: Drill, tmp_path: Path) -> None:
    """As Prometheus itself reads them."""
    queries = [
        pace_expression(q, pace) for q in (drill.signal.query, drill.traffic.arrives) for pace in PACES
    ]
    rules = [{"record": f"r{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "drill", "rules": rules}]}))
    promtool.check_rules([file])


@needs_amtool
@every_drill
@pytest.mark.parametrize("pace", PACES)
def test_alertmanager_routes_an_alert_to_where_its_drill_looks(
    drill: Drill, pace: str, tmp_path: Path
) -> None:
    """amtool walks the tree with the rule's labels."""
    materialise(PROJECT, tmp_path, pace)
    found = promtool.receivers(
        tmp_path / "alertmanager/alertmanager.yml", {"alertname": drill.alert, **drill.labels}
    )
    assert set(found) == {notice.receiver for notice in drill.notices}


@needs_amtool
@pytest.mark.parametrize(("status", "alerts"), [("firing", 2), ("resolved", 1)])
def test_a_message_says_what_a_person_needs(status: str, alerts: int, tmp_path: Path) -> None:
    """Status in capitals and name; severity; description; a line for each alert; both links."""
    one = {
        "status": status,
        "labels": {"alertname": "A", "severity": "critical", "service": "judgment"},
        "annotations": {
            "summary": "It fails",
            "description": "5% fail",
            "runbook_url": "http://r",
            "dashboard_url": "http://d",
        },
        "startsAt": "2026-11-21T10:00:00Z",
        "endsAt": "2026-11-21T10:05:00Z",
    }
    other = {**one, "labels": {**one["labels"], "instance": "host-2"}}  # type: ignore[dict-item]  # a plain document
    data = tmp_path / "notification.json"
    data.write_text(
        json.dumps(
            {
                "receiver": "inbox",
                "status": status,
                "alerts": [one, other][:alerts],
                "groupLabels": {"alertname": "A"},
                "commonLabels": {"severity": "critical"},
                "commonAnnotations": {},
                "externalURL": "http://am",
            }
        )
    )
    templates = PROJECT / "config/alertmanager/templates/firedrill.tmpl"
    title = promtool.render(templates, '{{ template "firedrill.title" . }}', data).strip()
    text = promtool.render(templates, '{{ template "firedrill.text" . }}', data).strip().splitlines()
    assert title == f"{status.upper()} A"
    assert text[:3] == ["*Severity:* critical", "5% fail", f"• judgment: It fails ({status})"]
    assert (f"• host-2: It fails ({status})" in text) == (alerts == 2)
    assert text[-1] == "<http://r|Runbook> · <http://d|Dashboard>"
