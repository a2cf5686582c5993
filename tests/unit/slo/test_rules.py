"""The rules that an slo.yml becomes: windows, limits, floors, and their demo pace."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill.pace import comparisons, pace_file
from firedrill.slo import Objective, rule_text

LATENCY = Objective(
    slice="shop",
    name="shop-latency",
    alert="ShopSLOBurn",
    means="95% of the shop's requests are quick",
    budget=Decimal("0.05"),
    labels={"system": "shopfds", "service": "shop", "component": "api"},
    dashboard="shop-overview",
    events="requests_count",
    good='requests_bucket{le="0.2"}',
    bad=None,
)
ERRORS = Objective(
    **{
        **LATENCY.__dict__,
        "name": "shop-errors",
        "budget": Decimal("0.001"),
        "good": None,
        "bad": "errors_total",
    }
)


def made(*objectives: Objective, pace: str = "production") -> dict[str, dict[str, Any]]:
    """Every rule by the name that it records or fires under."""
    text = pace_file(Path("slo_rules.yml"), rule_text(list(objectives)), pace)
    groups = yaml.safe_load(text)["groups"]
    return {rule.get("record") or rule["alert"]: rule for group in groups for rule in group["rules"]}


def flat(rule: dict[str, Any]) -> str:
    """The expression on one line."""
    return " ".join(rule["expr"].split())


def test_bad_events_are_all_but_the_good_ones() -> None:
    """From counters, so that a service's restart does not hide them."""
    assert flat(made(LATENCY)["slo:bad_events:increase5m"]) == (
        'sum(increase(requests_count[5m])) - sum(increase(requests_bucket{le="0.2"}[5m]))'
    )


def test_bad_events_may_be_counted_themselves() -> None:
    """As errors are."""
    assert flat(made(ERRORS)["slo:bad_events:increase5m"]) == "sum(increase(errors_total[5m]))"


def test_a_burn_rate_is_the_bad_share_by_the_budget() -> None:
    """1 uses up the budget in exactly its period; the budget is written without an exponent or a rounding."""
    assert flat(made(ERRORS)["slo:burn_rate:ratio1h"]).endswith('{slo="shop-errors"} / 0.001')


@pytest.mark.parametrize(
    ("tier", "severity", "long", "short", "limit"),
    [("Fast", "critical", "1h", "5m", "14.4"), ("Slow", "warning", "6h", "30m", "6")],
)
def test_an_alert_asks_for_both_windows_and_for_traffic(
    tier: str, severity: str, long: str, short: str, limit: str
) -> None:
    """Both burn rates over the limit, and the short window holds 20 events and 5 bad ones."""
    rule, own = made(LATENCY)[f"ShopSLOBurn{tier}"], '{slo="shop-latency"}'
    assert [(one.left, one.operator, one.right) for one in comparisons(rule["expr"])] == [
        (f"slo:burn_rate:ratio{long}{own}", ">", limit),
        (f"slo:burn_rate:ratio{short}{own}", ">", limit),
        (f"slo:events:increase{short}{own}", ">=", "20"),
        (f"slo:bad_events:increase{short}{own}", ">=", "5"),
    ]
    assert rule["labels"] == {
        "severity": severity,
        **LATENCY.labels,
        "slo": "shop-latency",
        "burn": tier.lower(),
    }
    assert rule["annotations"]["runbook_url"].endswith(f"/runbooks/shop/ShopSLOBurn{tier}")
    assert "the shop's requests are quick." in rule["annotations"]["description"]


def test_every_record_carries_its_objective() -> None:
    """So that several objectives record under the same names."""
    for rule in made(LATENCY).values():
        assert rule["labels"]["slo"] == "shop-latency"


def test_what_an_alert_reads_is_recorded_before_it_in_its_group() -> None:
    """A group is evaluated in order, so an alert sees the values of the same moment."""
    groups = yaml.safe_load(rule_text([LATENCY, ERRORS]))["groups"]
    for group in groups[::2]:
        seen: list[str] = []
        for rule in group["rules"]:
            read = {one.left.partition("{")[0] for one in comparisons(rule["expr"])}
            assert read <= set(seen)
            seen.append(rule.get("record", ""))
        assert seen[-2:] == ["", ""]


def test_slow_windows_have_a_demo_pace_of_their_own() -> None:
    """A tenth of six hours would be too long to wait for; fast windows are divided by ten."""
    demo = made(LATENCY, pace="demo")
    ranges = {
        window: demo[f"slo:events:increase{window}"]["expr"].strip() for window in ("5m", "30m", "1h", "6h")
    }
    assert ranges == {
        "5m": "sum(increase(requests_count[30s]))",
        "30m": "sum(increase(requests_count[1m]))",
        "1h": "sum(increase(requests_count[6m]))",
        "6h": "sum(increase(requests_count[12m]))",
    }


@pytest.mark.parametrize(("pace", "subquery"), [("production", "[30d:5m]"), ("demo", "[3d:30s]")])
def test_the_budget_adds_up_windows_that_neither_overlap_nor_leave_gaps(pace: str, subquery: str) -> None:
    """The step is the window's length at both paces."""
    rules = made(LATENCY, pace=pace)
    window = subquery.strip("[]").partition(":")[2]
    assert rules["slo:error_budget_remaining:ratio30d"]["expr"].count(subquery) == 2
    assert f"[{window}]" in rules["slo:events:increase5m"]["expr"]
