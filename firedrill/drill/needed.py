"""Which rules an alert stands on: its own and every recording rule below it, and how far back they look."""

from dataclasses import dataclass
from typing import Any

import yaml

from firedrill.pace import longest_range
from firedrill.pace.promql import tokenize

from .ports import LoadedRule


@dataclass(frozen=True)
class Needed:
    """A rule file with no more than an alert needs; `longest_range` in seconds, over all its rules."""

    rule_file: str
    longest_range: float


def needed_rules(rule: LoadedRule) -> Needed:
    """The part of the loaded rules that `rule` stands on: its alert and the records that it reads."""
    groups = yaml.safe_load(rule.rule_file)["groups"]
    records: dict[str, list[str]] = {}
    for one in _rules(groups):
        if "record" in one:
            records.setdefault(one["record"], []).append(one["expr"])
    used: set[str] = set()

    def reach(expression: str) -> float:
        """Its own longest range, on top of the longest of the records that it reads."""
        names = {token.text for token in tokenize(expression)} & records.keys()
        used.update(names)
        below = (reach(one) for name in names for one in records[name])
        return longest_range(expression) / 1000 + max(below, default=0.0)

    longest = reach(rule.expression)
    kept = []
    for group in groups:
        own = [one for one in group["rules"] if one.get("record") in used or "alert" in one]
        if own:
            kept.append({**group, "rules": own})
    return Needed(yaml.safe_dump({"groups": kept}, width=10_000), longest)


def _rules(groups: Any) -> list[dict[str, Any]]:
    return [rule for group in groups for rule in group["rules"]]
