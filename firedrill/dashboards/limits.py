"""Limits that panels draw, read from the rules and objectives that page: no number is written twice."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from firedrill.errors import TopologyError
from firedrill.pace import comparisons
from firedrill.pace.check import PROJECT, rule_files
from firedrill.slo import read_objectives

_EDGE = re.compile(r'\ble="([0-9.]+)"')


@dataclass(frozen=True)
class Limit:
    """Where good ends: bad from here on (`bad="above"`) or below it; `better` is the target beyond."""

    value: float
    bad: str = "above"  # above, below
    better: float | None = None


def alert_limit(alert: str, system: str, *, counted: bool = False, better: float | None = None) -> Limit:
    """The number that an alert of `system` compares with, first of its comparisons, in the unit of its rule.

    What is `counted` is bad from the next whole number on. Raises TopologyError when there is no such rule.
    """
    first = next(iter(comparisons(alert_rule(alert, system)["expr"])), None)
    if first is None or first.operator not in {">", ">=", "<", "<="}:
        raise _missing(f"{alert} compares with no number", "a panel draws its limit")
    number = float(first.right)
    if first.operator.startswith("<"):
        return Limit(number, "below", better)
    return Limit(number + 1 if counted and first.operator == ">" else number, "above", better)


def watched(alert: str, system: str) -> str:
    """What an alert compares: the left side of its first comparison. Raises TopologyError."""
    first = next(iter(comparisons(alert_rule(alert, system)["expr"])), None)
    if first is None:
        raise _missing(f"{alert} compares nothing", "a panel shows what it compares")
    return " ".join(first.left.split())


def objective_limit(name: str) -> Limit:
    """The slowest that an objective calls good, in seconds: the edge in its `good`. Raises TopologyError."""
    for file in sorted(PROJECT.glob("services/*/slo.yml")):
        for one in read_objectives(file):
            if one.name == name and (edge := _EDGE.search(one.good or "")):
                return Limit(float(edge[1]))
    raise _missing(f"no objective {name} with an edge", "a panel draws it")


def alert_rule(alert: str, system: str) -> dict[str, Any]:
    """The rule of an alert: its keys as in the rule file. Raises TopologyError."""
    for rule in rules(PROJECT):
        if rule.get("alert") == alert and rule["labels"]["system"] == system:
            return rule
    raise _missing(f"{system} has no alert {alert}", "a panel refers to it")


def rules(project: Path) -> Iterator[dict[str, Any]]:
    """Every alert and recording rule of `project`."""
    for file in rule_files(project):
        for group in yaml.safe_load(file.read_text("utf-8"))["groups"]:
            yield from group["rules"]


def _missing(what: str, why: str) -> TopologyError:
    return TopologyError(what, why, "correct the rule or the dashboard.py that names it")
