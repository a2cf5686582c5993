"""Every alert has promtool tests of every kind, and they pass."""

from pathlib import Path

from firedrill import promtool
from tests.contract.promtool_cases import (
    KINDS,
    NAME,
    alerts,
    cases,
    cases_file,
    cases_of,
    every_rule_file,
    needs_promtool,
)

ALWAYS = {"Watchdog": {"fires", "no data"}}
"""It asks for no data, so that there is nothing that could keep it quiet."""


@every_rule_file
def test_every_alert_has_a_promtool_test_of_every_kind(file: Path) -> None:
    """Fires, stays quiet, no data, start-up and a first event; what is missing is named here."""
    assert cases_file(file).is_file(), f"{cases_file(file)} is missing"
    wanted = {(rule["alert"], kind) for rule in alerts(file) for kind in ALWAYS.get(rule["alert"], KINDS)}
    there = {(rule["alert"], kind) for rule in alerts(file) for kind, _ in cases_of(file, rule["alert"])}
    assert wanted - there == set(), "alerts without a promtool test of that kind"


@every_rule_file
def test_no_promtool_test_is_of_an_alert_that_is_gone(file: Path) -> None:
    """The names before the kind are alerts of the file."""
    known = {rule["alert"] for rule in alerts(file)}
    named = (NAME.fullmatch(case["name"]) for case in cases(file))
    assert {alert for found in named if found for alert in found["alerts"].split(", ")} <= known


@every_rule_file
def test_an_alert_is_seen_to_fire_with_all_its_labels_and_words(file: Path) -> None:
    """By a case that also says just before that it does not fire yet, unless it fires always."""
    for rule in alerts(file):
        alert = rule["alert"]
        seen = [
            [bool(one.get("exp_alerts")) for one in case["alert_rule_test"] if one["alertname"] == alert]
            for kind, case in cases_of(file, alert)
            if kind == "fires" and "alert_rule_test" in case
        ]
        turn = [True] if alert in ALWAYS else [False, True]
        assert any(course[: len(turn)] == turn for course in seen), alert


@needs_promtool
@every_rule_file
def test_the_promtool_tests_pass(file: Path, tmp_path: Path) -> None:
    """Each case by name; the files are copied, so that nothing is written beside them."""
    for source in (file, cases_file(file)):
        (tmp_path / source.name).write_text(source.read_text("utf-8"))
    found = promtool.run_tests(tmp_path / cases_file(file).name)
    assert found
    assert {case.name: case.failures for case in found if case.failures} == {}
