"""What of the project's files a Grafana has read, and what its panels show; what is wrong is named."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from firedrill.clients import BackendError
from firedrill.grafana.client import Grafana
from firedrill.grafana.panels import Panel, files

PROVISIONING = Path("config/grafana/provisioning")
# For plugins that cannot say how they are: what the page asks their backend, through Grafana.
QUESTIONS = {
    "jaeger": "/api/services", "alertmanager": "/api/v2/status", "tempo": "/api/search/tags",
    "loki": "/loki/api/v1/labels",
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """What one panel showed: the number of values, or why there are none."""

    panel: Panel
    values: int
    problem: str = ""


def datasources(grafana: Grafana, root: Path) -> Iterator[str]:
    """Datasources that are missing, that differ in type, or that do not reach their backend."""
    there = grafana.datasources()
    for wanted in _listed(root / PROVISIONING / "datasources" / "datasources.yml", "datasources"):
        uid = wanted["uid"]
        if uid not in there:
            yield f"datasource {uid} is not there"
        elif there[uid]["type"] != wanted["type"]:
            yield f"datasource {uid} is a {there[uid]['type']}, not a {wanted['type']}"
        elif problem := _sick(grafana, uid):
            yield f"datasource {uid}: {problem}"


def _sick(grafana: Grafana, uid: str) -> str:
    health = grafana.health(uid)
    if health.ok is not None:
        return "" if health.ok else health.message
    try:
        grafana.through(uid, QUESTIONS[uid])
    except BackendError as error:
        return error.why
    return ""


def dashboards(grafana: Grafana, folder: Path) -> Iterator[str]:
    """Dashboards that Grafana has not loaded, or not into the folder in which their file lies."""
    loaded = grafana.dashboards()
    for path in files(folder):
        uid, wanted = json.loads(path.read_text(encoding="utf-8"))["uid"], path.parent.name
        if uid not in loaded:
            yield f"dashboard {uid} is not loaded"
        elif loaded[uid] != wanted:
            yield f"dashboard {uid} lies in {loaded[uid]!r}, not in {wanted!r}"


def rules(grafana: Grafana, root: Path) -> Iterator[str]:
    """Alert rules that are missing, that were not provisioned from a file, or that fail to evaluate."""
    there = {rule["uid"] for rule in grafana.rules()}
    evaluated = grafana.evaluated()
    for group in _listed(root / PROVISIONING / "alerting" / "grafana_rules.yml", "groups"):
        for rule in group["rules"]:
            state = evaluated.get(rule["title"])
            if rule["uid"] not in there:
                yield f"alert rule {rule['uid']} is not there"
            elif grafana.rule(rule["uid"]).get("provenance") != "file":
                yield f"alert rule {rule['uid']} is not from a file"
            elif state is None or state.get("lastEvaluation", "0001").startswith("0001"):
                yield f"alert rule {rule['uid']} has not been evaluated"
            elif state["health"] not in {"ok", "nodata"}:
                yield f"alert rule {rule['uid']} is {state['health']}: {state.get('lastError', '')}"


def delivery(grafana: Grafana, root: Path) -> Iterator[str]:
    """A contact point that is missing, or a policy whose receiver is another."""
    path = root / PROVISIONING / "alerting" / "grafana_delivery.yml"
    there = {one["name"] for one in grafana.contact_points()}
    yield from (
        f"contact point {one['name']} is not there"
        for one in _listed(path, "contactPoints")
        if one["name"] not in there
    )
    (wanted,) = _listed(path, "policies")
    policy = grafana.policy()
    if policy.get("receiver") != wanted["receiver"]:
        yield f"the policy leads to {policy.get('receiver')}, not to {wanted['receiver']}"
    if policy.get("routes"):
        yield "the policy has routes that are not from the file"


def shown(grafana: Grafana, panels: Sequence[Panel], *, start: str = "now-5m") -> Iterator[Shown]:
    """Ask every panel's queries through Grafana; an unknown uid is a problem that names it."""
    known = grafana.datasources().keys() | {"-- Grafana --", "grafana", "__expr__"}
    for panel in panels:
        if unknown := panel.uids - known:
            yield Shown(panel, 0, f"asks a datasource that is not there: {', '.join(sorted(unknown))}")
            continue
        try:
            answer = grafana.query(panel.queries, start=start)
        except BackendError as error:
            yield Shown(panel, 0, error.why)
            continue
        yield Shown(panel, answer.total, "; ".join(f"{ref}: {why}" for ref, why in answer.errors.items()))


def _listed(path: Path, key: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load(path.read_text(encoding="utf-8"))[key])
