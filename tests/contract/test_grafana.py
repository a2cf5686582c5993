"""Grafana's provisioned files agree with the rules, the inbox and each other, at both paces."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill.grafana.rules import SOURCES
from firedrill.pace import pace_duration, pace_file

ROOT = Path(__file__).parents[2]
PROVISIONING = ROOT / "config/grafana/provisioning"
RULES = PROVISIONING / "alerting/grafana_rules.yml"
DELIVERY = PROVISIONING / "alerting/grafana_delivery.yml"


def load(path: Path, pace: str = "production") -> Any:
    """A YAML file at `pace`."""
    return yaml.safe_load(pace_file(path, path.read_text(encoding="utf-8"), pace))


def natives(pace: str) -> dict[str, Any]:
    """Prometheus's rules of which Grafana has its own, by name."""
    return {
        rule["alert"]: rule
        for service, names in SOURCES.items()
        for group in load(ROOT / "services" / service / "alerts.yml", pace)["groups"]
        for rule in group["rules"]
        if rule.get("alert") in names
    }


def sources() -> dict[str, Any]:
    """The datasources by uid."""
    return {one["uid"]: one for one in load(PROVISIONING / "datasources/datasources.yml")["datasources"]}


def test_the_rules_are_current() -> None:
    """`make generate` would change nothing."""
    command = [sys.executable, "scripts/generate_grafana.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pace", ["production", "demo"])
def test_a_rule_of_grafana_means_what_the_one_of_prometheus_means(pace: str) -> None:
    """The same query for the same time at every pace; only the label that marks it differs."""
    (group,) = load(RULES, pace)["groups"]
    there = {rule["title"]: rule for rule in group["rules"]}
    wanted = natives(pace)
    assert there.keys() == wanted.keys() == {"FDSSLAViolation", "FDSPrecisionDrop", "HighErrorRate"}
    for name, rule in there.items():
        query = next(step for step in rule["data"] if step["datasourceUid"] == "prometheus")
        assert query["model"]["expr"] == wanted[name]["expr"]
        assert rule["for"] == wanted[name]["for"]
        assert rule["labels"] == {**wanted[name]["labels"], "source": "grafana"}
        assert {"runbook_url", "dashboard_url"} <= rule["annotations"].keys()


def test_no_text_of_a_rule_needs_a_dollar() -> None:
    """`$value` is Prometheus's, and whether `$$` is one dollar or two depends on the place in the file."""
    for rule in load(RULES)["groups"][0]["rules"]:
        assert not [text for text in rule["annotations"].values() if "$" in text]
        assert "{{ with .Values.B }}" in rule["annotations"]["description"]


@pytest.mark.parametrize("pace", ["production", "demo"])
def test_grafana_tells_the_inbox_and_nobody_else(pace: str) -> None:
    """Alertmanager tells people of the same conditions, so that nothing pages twice."""
    delivery = load(DELIVERY, pace)
    (point,), (policy,) = delivery["contactPoints"], delivery["policies"]
    (receiver,) = point["receivers"]
    assert receiver["type"] == "webhook"
    assert re.fullmatch(r"http://inbox:8090/webhook/grafana-inbox", receiver["settings"]["url"])
    assert (policy["receiver"], "routes" in policy) == (point["name"], False)
    assert policy["group_interval"] == pace_duration("5m", pace)
    told = load(ROOT / "config/alertmanager/alertmanager.yml")["receivers"]
    assert point["name"] not in {one["name"] for one in told}


def test_from_a_metric_a_log_line_and_a_span_leads_a_link() -> None:
    """Metric to trace, log line to trace, trace to logs and to metrics, and the service graph."""
    known = sources()
    prometheus, loki = known["prometheus"]["jsonData"], known["loki"]["jsonData"]
    assert prometheus["exemplarTraceIdDestinations"][0]["datasourceUid"] == "jaeger"
    assert prometheus["alertmanagerUid"] == "alertmanager"
    fields = {one["datasourceUid"]: one for one in loki["derivedFields"]}
    assert fields.keys() == {"jaeger", "tempo"}
    # A label of structured metadata, not a pattern in the text: lines are JSON and may be cut.
    assert all((one["matcherType"], one["matcherRegex"]) == ("label", "trace_id") for one in fields.values())
    for uid in ("jaeger", "tempo"):
        links = known[uid]["jsonData"]
        assert links["tracesToLogsV2"]["datasourceUid"] == "loki"
        assert links["tracesToMetrics"]["datasourceUid"] == "prometheus"
        assert links["tracesToMetrics"]["queries"]
        assert links["nodeGraph"] == {"enabled": True}
    assert known["tempo"]["jsonData"]["serviceMap"] == {"datasourceUid": "prometheus"}


def test_the_links_name_labels_that_exist(expected: dict[str, Any]) -> None:
    """Loki's stream label and metadata, and the label by which targets name a service."""
    query = sources()["jaeger"]["jsonData"]["tracesToLogsV2"]["query"]
    assert re.match(r"\{(\w+)=", query)[1] in expected["loki-labels"]  # type: ignore[index]  # it matches
    assert re.search(r"\| (\w+)=", query)[1] in expected["loki-metadata"]  # type: ignore[index]  # it matches
    tags = sources()["jaeger"]["jsonData"]["tracesToMetrics"]["tags"]
    for name in expected["services"]:
        (entry,) = load(ROOT / f"config/prometheus/targets/{name}.yml")
        assert entry["labels"][tags[0]["value"]] == name
