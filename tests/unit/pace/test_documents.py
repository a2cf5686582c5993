"""Whole files at demo pace: what changes, what stays, and what is refused by name."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from firedrill.errors import TopologyError, UsageError
from firedrill.pace import pace_file
from firedrill.pace.check import PROJECT, rule_files

RULES = Path("services/x/alerts.yml")


def rules(rule: str, group: str = "") -> str:
    """A rule file with one rule."""
    return f"groups:\n- name: g\n{group}  rules:\n  - {{{rule}}}\n"


def demo_rule(text: str) -> dict[str, object]:
    """The one rule of a rule file at demo pace."""
    rule: dict[str, object] = yaml.safe_load(pace_file(RULES, text, "demo"))["groups"][0]["rules"][0]
    return rule


def test_a_rule_and_its_group_are_divided() -> None:
    """for, keep_firing_for, interval, query_offset and the ranges of the expression."""
    text = rules(
        "alert: A, expr: 'rate(x[5m]) > 1', for: 3m, keep_firing_for: 10m",
        "  interval: 1m\n  query_offset: 30s\n  limit: 10\n",
    )
    group = yaml.safe_load(pace_file(RULES, text, "demo"))["groups"][0]
    assert (group["interval"], group["query_offset"], group["limit"]) == ("6s", "3s", 10)
    assert group["rules"] == [
        {"alert": "A", "expr": "rate(x[30s]) > 1", "for": "18s", "keep_firing_for": "1m"}
    ]


@pytest.mark.parametrize("nothing", ["0", "0s", "0m"])
def test_for_nothing_stays_nothing(nothing: str) -> None:
    """A rule that fires at once does so at every pace."""
    assert demo_rule(rules(f"alert: A, expr: x, for: {nothing}"))["for"] == "0s"


def test_labels_and_annotations_are_not_touched() -> None:
    """A label value may look like a duration, and keeps its quotes and so its type."""
    text = rules(
        "alert: A, expr: x, labels: {window: 5m, number: '15'}, annotations: {d: 'in [5m], {{ $value }}'}"
    )
    rule = demo_rule(text)
    assert rule["labels"] == {"window": "5m", "number": "15"}
    assert rule["annotations"] == {"d": "in [5m], {{ $value }}"}


def test_an_alias_is_divided_once() -> None:
    """Two rules that share a duration by anchor get a tenth of it, not a hundredth."""
    text = "groups:\n- {name: g, rules: [{alert: A, expr: x, for: &f 5m}, {alert: B, expr: x, for: *f}]}\n"
    assert [rule["for"] for rule in yaml.safe_load(pace_file(RULES, text, "demo"))["groups"][0]["rules"]] == [
        "30s",
        "30s",
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (rules("alert: A, expr: 'x @ 5'"), "rule A, expr"),
        (rules("alert: A, expr: x, for: soon"), "rule A, for"),
        (rules("alert: A, expr: x, demo_threshold: 3"), "rule A"),
        (rules("record: r, expr: 'rate(x[5])'"), "rule r, expr"),
        (rules("alert: A, for: 5m"), "rule A"),
        (rules("alert: A, expr: x", "  intervall: 1m\n"), "group g"),
        (rules("alert: A, expr: x, annotations: {d: '{{ query \"x\" }}'}"), "rule A, annotation d"),
        ("rules: []\n", "rules"),
        ("groups: 5\n", "groups"),
        ("groups:\n- [a]\n", "a group"),
        ("groups:\n- &g {name: g, rules: []}\n- {<<: *g, name: h}\n", "a group"),
    ],
)
def test_what_is_not_understood_is_refused_with_file_and_rule(text: str, named: str) -> None:
    """A rule that would run at a wrong pace is never written."""
    with pytest.raises(TopologyError) as refused:
        pace_file(RULES, text, "demo")
    assert f"{RULES}: {named} has no known pace" in str(refused.value)


def test_broken_yaml_is_one_clear_error() -> None:
    """With the file's name and the parser's reason."""
    with pytest.raises(TopologyError, match=r"services/x/alerts\.yml is not YAML"):
        pace_file(RULES, "groups: [", "demo")


def test_prometheus_scrapes_and_evaluates_ten_times_as_often() -> None:
    """Globally and for each job; what has no pace stays."""
    text = (
        "global: {scrape_interval: 15s, scrape_timeout: 10s, evaluation_interval: 15s,\n"
        "  external_labels: {a: 5m}}\n"
        "scrape_configs:\n- {job_name: j, scrape_interval: 5s, sample_limit: 100}\n"
    )
    assert yaml.safe_load(pace_file(Path("prometheus.yml"), text, "demo")) == {
        "global": {
            "scrape_interval": "1s500ms",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s500ms",
            "external_labels": {"a": "5m"},
        },
        "scrape_configs": [{"job_name": "j", "scrape_interval": "500ms", "sample_limit": 100}],
    }


def test_a_job_scraped_more_slowly_than_ranges_allow_is_refused() -> None:
    """Ranges keep four scrapes of 15 s, and would hold fewer of it."""
    with pytest.raises(TopologyError, match="job j, scrape_interval"):
        pace_file(Path("prometheus.yml"), "scrape_configs: [{job_name: j, scrape_interval: 1m}]", "demo")


def test_alertmanager_is_divided_everywhere_in_the_tree() -> None:
    """resolve_timeout and the three times of each route, however deep; receivers stay."""
    text = (
        "global: {resolve_timeout: 5m, smtp_from: a@b}\n"
        "route:\n  receiver: a\n  group_wait: 10s\n  group_interval: 5m\n  repeat_interval: 4h\n"
        "  routes:\n  - {receiver: b, group_wait: 30s, routes: [{receiver: c, repeat_interval: 30m}]}\n"
        "receivers: [{name: a, webhook_configs: [{url: 'http://x', timeout: 10s}]}]\n"
    )
    demo = yaml.safe_load(pace_file(Path("alertmanager.yml"), text, "demo"))
    assert demo["global"] == {"resolve_timeout": "30s", "smtp_from": "a@b"}
    assert demo["route"] == {
        "receiver": "a",
        "group_wait": "1s",
        "group_interval": "30s",
        "repeat_interval": "24m",
        "routes": [
            {"receiver": "b", "group_wait": "3s", "routes": [{"receiver": "c", "repeat_interval": "3m"}]}
        ],
    }
    assert demo["receivers"] == [{"name": "a", "webhook_configs": [{"url": "http://x", "timeout": "10s"}]}]


def test_other_files_are_copied_as_they_are() -> None:
    """Loki's and Tempo's durations are not alerting's."""
    assert pace_file(Path("loki.yml"), "retention: 168h\n", "demo") == "retention: 168h\n"


@given(st.text())
def test_production_is_the_text_itself(text: str) -> None:
    """Byte by byte, comments included, and so the same when done twice."""
    once = pace_file(RULES, text, "production")
    assert once == text
    assert pace_file(RULES, once, "production") == once


def test_an_unknown_pace_is_a_wrong_setting() -> None:
    """The error names the paces that there are."""
    with pytest.raises(UsageError, match="no pace 'fast'"):
        pace_file(RULES, "", "fast")


def test_an_empty_file_stays_empty() -> None:
    """A slice may have no alert yet."""
    assert pace_file(RULES, "# nothing yet\n", "demo") == "# nothing yet\n"


@pytest.mark.parametrize("path", rule_files(PROJECT), ids=lambda path: path.parent.name)
def test_the_projects_own_rules_have_a_demo_pace(path: Path) -> None:
    """Every rule keeps its name, labels and annotations, and none gets slower."""
    before, after = (
        yaml.safe_load(pace_file(path, path.read_text("utf-8"), pace)) for pace in ("production", "demo")
    )
    for old, new in zip(before["groups"], after["groups"], strict=True):
        for rule, demo in zip(old["rules"], new["rules"], strict=True):
            assert {k: rule.get(k) for k in ("alert", "labels", "annotations")} == {
                k: demo.get(k) for k in ("alert", "labels", "annotations")
            }
            assert "demo_" not in demo["expr"]
