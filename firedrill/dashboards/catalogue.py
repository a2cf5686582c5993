"""What a dashboard or rule may name: metrics, labels, jobs, fields of log lines, datasources, pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from firedrill.pace.check import rule_files

from .expressions import promql
from .limits import rules

COMPONENTS = "config/platform/components.yml"
TARGET_LABELS = frozenset({"job", "instance", "system", "__name__"})
"""Every scraped series has them."""


@dataclass(frozen=True)
class Declared:
    """One metric as a slice declares it; `kind` is counter, gauge, histogram or quantiles."""

    name: str
    kind: str
    labels: Sequence[str]


@dataclass(frozen=True)
class Catalogue:
    """Labels by the name of a series, without those of its target; and what else a dashboard may name."""

    series: Mapping[str, frozenset[str]]
    jobs: frozenset[str]
    log_labels: frozenset[str]
    log_fields: frozenset[str]
    datasources: frozenset[str]
    runbooks: frozenset[str]  # slice/alert
    dashboards: frozenset[str]


def catalogue(
    project: Path,
    declared: Iterable[Declared],
    *,
    log_labels: Iterable[str],
    log_fields: Iterable[str],
    dashboards: Iterable[str],
) -> Catalogue:
    """The catalogue of a project, whose slices declare these metrics and these parts of log lines."""
    series = dict(pair for one in declared for pair in exposed(one))
    series |= {name: frozenset(labels) for name, labels in _yaml(project / COMPONENTS)["series"].items()}
    series |= recorded(rules(project))
    runbooks = {
        f"{folder.name}/{file.stem}"
        for folder in {file.parent for file in rule_files(project)}
        for file in folder.glob("runbooks/*.md")
    }
    sources = _yaml(project / "config/grafana/provisioning/datasources/datasources.yml")["datasources"]
    targets = [one for file in project.glob("config/prometheus/targets/**/*.yml") for one in _yaml(file)]
    return Catalogue(
        series=series,
        jobs=frozenset(one["labels"]["job"] for one in targets),
        log_labels=frozenset(log_labels),
        log_fields=frozenset(log_fields),
        datasources=frozenset(one["uid"] for one in sources),
        runbooks=frozenset(runbooks),
        dashboards=frozenset(dashboards),
    )


def exposed(one: Declared) -> Iterable[tuple[str, frozenset[str]]]:
    """The series of a metric as Prometheus stores them."""
    labels = frozenset(one.labels)
    if one.kind in {"counter", "gauge"}:
        return [(one.name, labels)]
    whole = [(f"{one.name}_sum", labels), (f"{one.name}_count", labels)]
    if one.kind == "histogram":
        return [(f"{one.name}_bucket", labels | {"le"}), *whole]
    return [(one.name, labels | {"quantile"}), *whole]


def recorded(found: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Recording rules: labels that the rule sets, and those by which its expression groups."""
    series: dict[str, frozenset[str]] = {}
    for rule in found:
        if name := rule.get("record"):
            groups = promql(rule["expr"]).groups
            kept = {label for group in groups if group.kind == "by" for label in group.labels}
            series[name] = series.get(name, frozenset()) | kept | set(rule.get("labels", ()))
    return series


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))
