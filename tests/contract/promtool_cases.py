"""The promtool test files: which case is about which alert, and of which kind."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill.binaries import locate
from firedrill.pace.check import PROJECT, rule_files

KINDS = {"fires", "quiet", "no data", "start-up", "first event"}
NAME = re.compile(rf"(?P<alerts>\w+(, \w+)*) (?P<kind>{'|'.join(sorted(KINDS))}): .+")
RULES = rule_files(PROJECT)
every_rule_file = pytest.mark.parametrize("file", RULES, ids=lambda file: f"{file.parent.name}/{file.name}")
needs_promtool = pytest.mark.skipif(
    locate("promtool") is None, reason="promtool is not on this machine; get it: firedrill build prometheus"
)

Case = dict[str, Any]
Rule = dict[str, Any]


def cases_file(rules: Path) -> Path:
    """The promtool tests of a rule file."""
    return rules.with_name(f"{rules.stem}_test.yml")


def cases(rules: Path) -> list[Case]:
    """All of them."""
    found: list[Case] = yaml.safe_load(cases_file(rules).read_text("utf-8"))["tests"]
    return found


def alerts(rules: Path) -> list[Rule]:
    """The alerts of a rule file."""
    groups = yaml.safe_load(rules.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def cases_of(rules: Path, alert: str) -> Iterator[tuple[str, Case]]:
    """Kind and case of those that are named after the alert, and ask about it too."""
    for case in cases(rules):
        found = NAME.fullmatch(case["name"])
        if found and alert in found["alerts"].split(", ") and _asks_about(case, alert):
            yield found["kind"], case


def _asks_about(case: Case, alert: str) -> bool:
    named = {one["alertname"] for one in case.get("alert_rule_test", ())}
    queries = " ".join(one["expr"] for one in case.get("promql_expr_test", ()))
    return alert in named or f'"{alert}"' in queries
