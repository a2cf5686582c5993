"""The promtool tests notice what is wrong with a rule; not a part of `make check`, for it takes a while."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import yaml

from firedrill import promtool
from firedrill.drill.needed import needed_rules
from firedrill.drill.ports import LoadedRule
from firedrill.pace import comparisons
from tests.contract.promtool_cases import Rule, alerts, cases_file, cases_of, every_rule_file, needs_promtool

IMPLIED = ("JudgmentLowCacheHitRate", "FDSLatencySLOBurn")
"""Of 20 events more than 5 are bad wherever the ratio is passed, so that the second floor changes nothing."""
ALIKE = "APILatencySLOBurn"
"""The same code wrote it as FDSLatencySLOBurn, and its cases are the same: once is enough."""


def _clauses(expression: str) -> list[list[str]]:
    return [[one.left, one.operator, one.right] for one in comparisons(expression)]


def _written(clauses: list[list[str]]) -> str:
    return "\nand ".join(" ".join(parts) for parts in clauses)


def _broken(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule with one thing wrong: a clause lost, the limit moved, `for` lost or doubled."""
    alert, clauses = rule["alert"], _clauses(rule["expr"])
    for index, (left, operator, right) in enumerate(clauses):
        rest = clauses[:index] + clauses[index + 1 :]
        implied = (operator, right) == (">=", "5") and alert.startswith(IMPLIED)
        if rest and not implied:
            yield f"without {left} {operator} {right}", {**rule, "expr": _written(rest)}
    if clauses and float(clauses[0][2]):
        left, operator, right = clauses[0]
        for factor in (0.9, 2):
            moved = [left, operator, f"{float(right) * factor:g}"]
            yield f"limit x {factor}", {**rule, "expr": _written([moved, *clauses[1:]])}
    if rule["for"] != "0m":
        minutes = int(rule["for"].removesuffix("m"))
        for wrong in (0, 2 * minutes):
            yield f"for {wrong}m", {**rule, "for": f"{wrong}m"}


def _only(file: Path, rule: Rule) -> str:
    """The rule with those that it reads, as a rule file."""
    groups = yaml.safe_load(file.read_text("utf-8"))["groups"]
    records = [one for group in groups for one in group["rules"] if "record" in one]
    text = yaml.safe_dump({"groups": [{"name": "broken", "rules": [*records, rule]}]}, width=10_000)
    return needed_rules(LoadedRule(rule["expr"], 0.0, 15.0, text)).rule_file


def _selected(file: Path, names: set[str]) -> str:
    """The test file with these cases only; its nodes are copied, for 0x20 would be read as a number."""
    root = yaml.compose(cases_file(file).read_text("utf-8"), Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    tests = next(value for key, value in root.value if key.value == "tests")
    tests.value = [
        case for case in tests.value if {key.value: value.value for key, value in case.value}["name"] in names
    ]
    return yaml.serialize(root, width=10_000)


@needs_promtool
@every_rule_file
def test_the_promtool_tests_notice_a_broken_rule(file: Path, tmp_path: Path) -> None:
    """With a clause lost, the limit moved or `for` changed, each rule fails one of its cases."""
    broken = {}
    for rule in alerts(file):
        if rule["alert"].startswith(ALIKE):
            continue
        names = {case["name"] for _, case in cases_of(file, rule["alert"])}
        for number, (what, wrong) in enumerate(_broken(rule)):
            folder = tmp_path / f"{rule['alert']}-{number}"
            folder.mkdir()
            (folder / file.name).write_text(_only(file, wrong))
            (folder / "test.yml").write_text(_selected(file, names))
            broken[str(folder / "test.yml")] = f"{rule['alert']}: {what}"
    if broken:
        assert _unnoticed(broken, tmp_path / "junit.xml") == []


def _unnoticed(broken: dict[str, str], junit: Path) -> list[str]:
    """What is wrong with the rules whose tests pass all the same; one promtool for all of them."""
    command = [str(promtool.tool("promtool")), "test", "rules", f"--junit={junit}", *broken]
    subprocess.run(command, capture_output=True, check=False, timeout=120)
    suites = {str(suite.get("name")): suite for suite in ElementTree.parse(junit).getroot().iter("testsuite")}
    assert suites.keys() == broken.keys()
    return [broken[name] for name, suite in suites.items() if not list(suite.iter("failure"))]
