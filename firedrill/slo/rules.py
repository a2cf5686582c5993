"""Writes the burn-rate rules of an slo.yml: multi-window and multi-burn-rate, as the SRE workbook advises.

A burn rate of 1 uses up the error budget in exactly 30 days. Two tiers: fast (2% of the budget in an hour)
and slow (5% in six hours), each over a long window, which says that it matters, and a short one, which says
that it still goes on. Written as text, because what the demo pace must know stands in PromQL comments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from firedrill.alert_links import GRAFANA, INBOX
from firedrill.drill.floors import EVENTS, FAILURES

from .declared import Objective, read_objectives, slo_files

PERIOD, STEP = "30d", "5m"
"""The budget's time, and the window of which it is made up."""
DEMO_RANGES: Mapping[str, str] = {"6h": "12m", "30m": "1m"}
"""A tenth of the slow windows would still be too long to wait for."""


@dataclass(frozen=True)
class Tier:
    """How fast the budget burns; `lasting` is `for`: a start's first slow requests page nobody."""

    name: str
    how: str
    severity: str
    long: str
    short: str
    rate: str
    lasting: str


TIERS = (
    Tier("fast", "fast", "critical", "1h", "5m", "14.4", "2m"),
    Tier("slow", "too fast for too long", "warning", "6h", "30m", "6", "5m"),
)
WINDOWS = ("5m", "30m", "1h", "6h")


def generated(project: Path) -> dict[Path, str]:
    """The slo_rules.yml that belongs beside each slo.yml. Raises TopologyError when one cannot be used."""
    return {file.with_name("slo_rules.yml"): rule_text(read_objectives(file)) for file in slo_files(project)}


def rule_text(objectives: list[Objective]) -> str:
    """A Prometheus rule file, at production pace, as text."""
    head = "# Made from slo.yml by `make generate`; edit that file.\ngroups:\n"
    return head + "\n".join(_group(one) for one in objectives)


def _group(objective: Objective) -> str:
    rules = [rule for window in WINDOWS for rule in _recorded(objective, window)]
    rules += [_alert(objective, tier) for tier in TIERS]
    burn = f"  - name: slo-{objective.name}\n    rules:\n" + "\n".join(rules)
    # Less often than its neighbours: the whole period is read each time.
    budget = f"  - name: slo-{objective.name}-budget\n    interval: 1m\n    rules:\n{_remaining(objective)}"
    return f"{burn}\n{budget}"


def _recorded(objective: Objective, window: str) -> list[str]:
    """What happened in a window, and how fast it burnt."""
    events, bad = (
        _named("events:increase", objective, window),
        _named("bad_events:increase", objective, window),
    )
    return [
        _record(f"slo:events:increase{window}", [_increase(objective.events, window)], objective.name),
        _record(f"slo:bad_events:increase{window}", _bad(objective, window), objective.name),
        _record(
            f"slo:burn_rate:ratio{window}", [f"{bad} / {events} / {_plain(objective.budget)}"], objective.name
        ),
    ]


def _bad(objective: Objective, window: str) -> list[str]:
    if objective.bad is not None:
        return [_increase(objective.bad, window)]
    return [_increase(objective.events, window), f"  - {_increase(str(objective.good), window)}"]


def _increase(counter: str, window: str) -> str:
    comment = f"  # demo_range: {DEMO_RANGES[window]}" if window in DEMO_RANGES else ""
    return f"sum(increase({counter}[{window}])){comment}"


def _remaining(objective: Objective) -> str:
    """1 with nothing bad in the period, 0 when the budget is spent, less when it is overspent."""
    bad, events = (
        f"sum_over_time({_named(what, objective, STEP)}[{PERIOD}:{STEP}])"
        for what in ("bad_events:increase", "events:increase")
    )
    lines = [f"1 - {bad}", f"  / ({events} > 0) / {_plain(objective.budget)}"]
    return _record(f"slo:error_budget_remaining:ratio{PERIOD}", lines, objective.name)


def _alert(objective: Objective, tier: Tier) -> str:
    name = objective.alert + tier.name.capitalize()
    conditions = [
        f"{_named('burn_rate:ratio', objective, tier.long)} > {tier.rate}",
        f"and {_named('burn_rate:ratio', objective, tier.short)} > {tier.rate}",
        f"and {_named('events:increase', objective, tier.short)} >= {EVENTS}",
        f"and {_named('bad_events:increase', objective, tier.short)} >= {FAILURES}",
    ]
    labels = {"severity": tier.severity, **objective.labels, "slo": objective.name, "burn": tier.name}
    description = (
        f"Promised: {objective.means}. The error budget burns "
        f'{{{{ printf "%.1f" $value }}}} times as fast as it may; {tier.rate} is the limit.'
    )
    return f"""\
      - alert: {name}
{_expr(conditions)}
        for: {tier.lasting}
        labels: {{{", ".join(f"{key}: {value}" for key, value in labels.items())}}}
        annotations:
          summary: The error budget of {objective.name} burns {tier.how}
          description: '{description.replace("'", "''")}'
          runbook_url: {INBOX}/runbooks/{objective.slice}/{name}
          dashboard_url: {GRAFANA}/d/{objective.dashboard}
"""


def _record(name: str, lines: list[str], slo: str) -> str:
    """Each rule says its objective, though most expressions carry it along: promtool's lints ask for it."""
    return f"      - record: {name}\n{_expr(lines)}\n        labels: {{slo: {slo}}}\n"


def _expr(lines: list[str]) -> str:
    return "\n".join(["        expr: |", *(f"          {line}" for line in lines)])


def _named(series: str, objective: Objective, window: str) -> str:
    return f'slo:{series}{window}{{slo="{objective.name}"}}'


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
