"""Grafana's own alert rules for ShopFDS, made from those of Prometheus, so that both mean the same."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

TARGET = Path("config/grafana/provisioning/alerting/grafana_rules.yml")
SOURCES = {"fds": ("FDSSLAViolation", "FDSPrecisionDrop"), "ecommerce": ("HighErrorRate",)}
FOLDER = "ShopFDS alerts"
# Grafana's scheduler ticks every 10 s, at every pace, and refuses an interval that is no multiple of it.
INTERVAL = "10s"
MARK = {"source": "grafana"}
HEAD = """\
# Made from the alerts.yml of fds and ecommerce by `make generate`; edit those files.
# The query decides, as in Prometheus: what it returns is an alert. C only says that it returned
# something, for none of these values can be negative. No data means that nothing is wrong.
# The label source=grafana marks what Grafana sends.
"""


def render(root: Path) -> str:
    """The text of the provisioning file, at production pace, from the rules below `root`."""
    rules = [_rule(rule) for rule in _native(root)]
    group = {"orgId": 1, "name": "shopfds", "folder": FOLDER, "interval": INTERVAL, "rules": rules}
    return HEAD + yaml.dump(
        {"apiVersion": 1, "groups": [group]},
        Dumper=_Writer,
        sort_keys=False,
        width=10_000,
        allow_unicode=True,
    )


def _native(root: Path) -> Iterator[Mapping[str, Any]]:
    for service, wanted in SOURCES.items():
        text = (root / "services" / service / "alerts.yml").read_text(encoding="utf-8")
        found = {
            rule["alert"]: rule
            for group in yaml.safe_load(text)["groups"]
            for rule in group["rules"]
            if "alert" in rule
        }
        yield from (found[name] for name in wanted)


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    name = rule["alert"]
    return {
        "uid": f"grafana-{name.lower()}",
        "title": name,
        "condition": "C",
        "for": rule.get("for", "0s"),
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {**rule["labels"], **MARK},
        "annotations": {key: _template(text) for key, text in rule["annotations"].items()},
        "data": [
            _step("A", "prometheus", {"expr": rule["expr"], "instant": True, "range": False}),
            _step("B", "__expr__", {"type": "reduce", "expression": "A", "reducer": "last"}),
            _step("C", "__expr__", {"type": "threshold", "expression": "B", "conditions": [_above(-1)]}),
        ],
    }


def _step(ref: str, uid: str, model: Mapping[str, Any]) -> dict[str, Any]:
    asked = {"refId": ref, "datasource": {"uid": uid}, **model}
    return {
        "refId": ref, "datasourceUid": uid, "relativeTimeRange": {"from": 600, "to": 0}, "model": asked
    }  # fmt: skip


def _above(limit: float) -> dict[str, Any]:
    return {"evaluator": {"type": "gt", "params": [limit]}}


def _template(text: str) -> str:
    """Prometheus's `$value` as Grafana names it; before there is a value, it says nothing of it.

    Without a dollar: in some provisioned texts Grafana takes `$$` for a dollar, in these it does not.
    """

    def named(found: re.Match[str]) -> str:
        return "{{ with .Values.B }}" + found[0].replace("$value", ".Value") + "{{ end }}"

    return re.sub(r"\{\{[^{}]*\$value\b[^{}]*\}\}", named, text)


class _Writer(yaml.SafeDumper):
    """Keeps expressions of several lines readable."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Writer.add_representer(str, _text)
