"""Every alert has its drill and its runbook, complete and consistent, and the other way round."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill import promtool
from firedrill.binaries import locate
from firedrill.drill import floors
from firedrill.drill.declared import declared_drills
from firedrill.pace import PACES, comparisons
from firedrill.pace.check import PROJECT, materialise, rule_files
from firedrill.pace.promql import tokenize

LABELS = {"severity", "system", "service", "component"}
SLO_LABELS = LABELS | {"slo", "burn"}
BURNS = {"fast": "critical", "slow": "warning"}
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url"}
SEVERITIES = {"critical", "warning", "none"}
INBOX, GRAFANA = "http://127.0.0.1:8090", "http://127.0.0.1:3002"

Rule = dict[str, Any]


def _slices() -> list[Path]:
    return sorted({file.parent for file in rule_files(PROJECT)})


def _rules(folder: Path) -> list[Rule]:
    return [
        rule
        for file in rule_files(PROJECT)
        if file.parent == folder
        for group in yaml.safe_load(file.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]


def _alerts() -> list[tuple[Path, Rule]]:
    return [(folder, rule) for folder in _slices() for rule in _rules(folder) if "alert" in rule]


def _expressions(folder: Path, expression: str) -> list[str]:
    """The expression and those of the recording rules that it reads."""
    words = {token.text for token in tokenize(expression)}
    records = {rule["expr"] for rule in _rules(folder) if rule.get("record") in words}
    return [expression, *(below for record in sorted(records) for below in _expressions(folder, record))]


def _name(value: object) -> str:
    if isinstance(value, Path):
        return value.name
    return str(value["alert"]) if isinstance(value, dict) else str(value)


needs_promtool = pytest.mark.skipif(
    locate("promtool") is None, reason="promtool is not on this machine; get it: firedrill build prometheus"
)
needs_amtool = pytest.mark.skipif(
    locate("amtool") is None, reason="amtool is not on this machine; get it: firedrill build alertmanager"
)
every_alert = pytest.mark.parametrize(("folder", "rule"), _alerts(), ids=_name)
every_slice = pytest.mark.parametrize("folder", _slices(), ids=_name)


@every_alert
def test_an_alert_has_its_labels_and_annotations(folder: Path, rule: Rule) -> None:
    """The four labels that routing and drills need, and the four annotations that a person needs.

    A burn-rate alert says its objective and how fast it burns too, and fast burns are the critical ones.
    """
    labels = rule["labels"]
    assert set(labels) == (SLO_LABELS if folder.joinpath("slo.yml").exists() and "slo" in labels else LABELS)
    assert labels["severity"] in SEVERITIES
    assert labels.get("burn") is None or labels["severity"] == BURNS[labels["burn"]]
    assert set(rule["annotations"]) == ANNOTATIONS
    if labels["severity"] != "none":
        said = rule["annotations"]["description"]
        assert "$value" in said or "$labels" in said, "the description says neither value nor place"
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
    """At least so many events and failures as firedrill/drill/floors.py says; no alert divides without.

    A quantile is a ratio too, and so is what a recording rule divides.
    """
    tokens = {token.text for text in _expressions(folder, rule["expr"]) for token in tokenize(text)}
    asked = {(one.operator, one.right) for one in comparisons(rule["expr"])}
    if tokens & {"/", "histogram_quantile"}:
        assert {(">=", str(floors.EVENTS)), (">=", str(floors.FAILURES))} <= asked


def test_a_target_with_an_alert_of_its_own_is_not_reported_twice() -> None:
    """TargetDown leaves out the jobs whose `up` another alert asks for."""
    rules = {rule["alert"]: rule["expr"] for _, rule in _alerts()}
    down = rules.pop("TargetDown")
    own = {job for text in rules.values() for job in re.findall(r'up\{job="([^"]+)"', text)}
    assert {job for job in own if job not in down} == set()


@every_slice
def test_alerts_drills_and_runbooks_go_by_the_same_names(folder: Path) -> None:
    """Whichever is missing is named here."""
    alerts = {rule["alert"] for own, rule in _alerts() if own == folder}
    drills = {drill.alert for drill in declared_drills(PROJECT) if drill.file.parent == folder}
    runbooks = {file.stem for file in (folder / "runbooks").glob("*.md")}
    assert drills == alerts, "drills.yml and the rules"
    assert runbooks == alerts, "runbooks/ and the rules"


def test_prometheus_loads_all_rules_and_no_others() -> None:
    """A rule file that prometheus.yml does not name would be silence."""
    config = yaml.safe_load((PROJECT / "config/prometheus/prometheus.yml").read_text("utf-8"))
    assert sorted(config["rule_files"]) == sorted(
        str(file.relative_to(PROJECT)) for file in rule_files(PROJECT)
    )


def test_no_slice_has_drills_runbooks_or_tests_without_rules() -> None:
    """Found by the files, so that a lost alerts.yml is noticed."""
    for where in ("services/*", "config/platform"):
        for pattern in ("drills.yml", "runbooks/*.md", "alerts_test.yml"):
            for file in PROJECT.glob(f"{where}/{pattern}"):
                folder = file.parent.parent if file.parent.name == "runbooks" else file.parent
                assert folder / "alerts.yml" in rule_files(PROJECT), f"{file} has no alerts.yml"


@needs_promtool
@needs_amtool
@pytest.mark.parametrize("pace", PACES)
def test_rules_and_configs_are_valid_at_both_paces(pace: str, tmp_path: Path) -> None:
    """With every lint of promtool fatal."""
    for _, check in materialise(PROJECT, tmp_path, pace):
        check()


def rendered(folder: Path, status: str, alerts: list[dict[str, Any]], template: str) -> str:
    """One of the templates for a message of these alerts."""
    data = folder / "notification.json"
    data.write_text(
        json.dumps(
            {
                "receiver": "inbox",
                "status": status,
                "alerts": alerts,
                "groupLabels": {"alertname": "A"},
                "commonLabels": {"severity": "critical"},
                "commonAnnotations": {},
                "externalURL": "http://am",
            }
        )
    )
    templates = PROJECT / "config/alertmanager/templates/firedrill.tmpl"
    return promtool.render(templates, f'{{{{ template "firedrill.{template}" . }}}}', data).strip()


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
    title = rendered(tmp_path, status, [one, other][:alerts], "title")
    text = rendered(tmp_path, status, [one, other][:alerts], "text").splitlines()
    assert title == f"{status.upper()} A"
    assert text[:3] == ["*Severity:* critical", "5% fail", f"• judgment: It fails ({status})"]
    assert (f"• host-2: It fails ({status})" in text) == (alerts == 2)
    assert text[-1] == "<http://r|Runbook> · <http://d|Dashboard>"
    plain = rendered(tmp_path, status, [one, other][:alerts], "plain")
    assert plain.endswith("Runbook: http://r\nDashboard: http://d")
    html = rendered(tmp_path, status, [one, other][:alerts], "html")
    assert '<a href="http://r">Runbook</a> · <a href="http://d">Dashboard</a>' in html


@needs_amtool
@pytest.mark.parametrize("template", ["text", "plain", "html"])
def test_a_message_has_no_link_that_leads_nowhere(template: str, tmp_path: Path) -> None:
    """An alert of one's own, or one whose end somebody tells, has neither runbook nor dashboard."""
    one = {
        "status": "resolved",
        "labels": {"alertname": "A", "severity": "critical", "service": "judgment"},
        "annotations": {"summary": "It is over"},
        "startsAt": "2026-11-21T10:00:00Z",
        "endsAt": "2026-11-21T10:05:00Z",
    }
    text = rendered(tmp_path, "resolved", [one], template)
    assert "judgment: It is over (resolved)" in text
    assert not [word for word in ("Runbook", "Dashboard", "href") if word in text]
