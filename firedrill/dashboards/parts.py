"""What all panels have in common: queries, limits, colours with a meaning, and settings of single columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .limits import Limit

GOOD, WARNING, BAD = "green", "orange", "red"
MEANINGS = {
    "2xx": GOOD, "4xx": "yellow", "5xx": BAD, "errors": BAD,
    "completed": GOOD, "pending": "yellow", "failed": BAD, "open": BAD, "half_open": "yellow", "closed": GOOD,
    "low": GOOD, "medium": "yellow", "high": WARNING, "blocked": BAD,
    "low_risk": GOOD, "medium_risk": "yellow", "high_risk": WARNING,
}  # fmt: skip
"""Series whose name says good or bad have that colour everywhere; a panel says which of them it shows."""
PROMETHEUS = common.DataSourceRef(type_val="prometheus", uid="prometheus")
LOKI = common.DataSourceRef(type_val="loki", uid="loki")


@dataclass(frozen=True)
class Query:
    """One query of a panel; `legend` in Grafana's {{label}} form."""

    expr: str
    legend: str = ""
    exemplars: bool = False


def finished(  # noqa: PLR0917 - all of them, each time
    panel: dashboard.Panel,
    title: str,
    description: str,
    unit: str,
    limit: Limit | None,
    links: Sequence[dashboard.DashboardLink],
) -> dashboard.Panel:
    """The panel with what all have; a limit colours the value too."""
    panel.title, panel.description, panel.datasource = title, description, PROMETHEUS
    panel.links = list(links) or None
    own = defaults(panel)
    own.unit = unit
    own.thresholds = _thresholds(limit)
    if limit:
        own.color = dashboard.FieldColor(mode=dashboard.FieldColorModeId.THRESHOLDS)
    return panel


def fields(panel: dashboard.Panel) -> dashboard.FieldConfigSource:
    """Settings of the panel's series."""
    if panel.field_config is None:
        panel.field_config = dashboard.FieldConfigSource()
    return panel.field_config


def defaults(panel: dashboard.Panel) -> dashboard.FieldConfig:
    """Settings that all its series share."""
    return fields(panel).defaults


def _thresholds(limit: Limit | None) -> dashboard.ThresholdsConfig:
    steps = [dashboard.Threshold(value=None, color=GOOD)]
    if limit and limit.bad == "above":
        steps.append(dashboard.Threshold(value=limit.value, color=BAD))
    elif limit:
        steps = [dashboard.Threshold(value=None, color=BAD)]
        if limit.better is not None:
            steps.append(dashboard.Threshold(value=limit.value, color=WARNING))
        best = limit.value if limit.better is None else limit.better
        steps.append(dashboard.Threshold(value=best, color=GOOD))
    return dashboard.ThresholdsConfig(mode=dashboard.ThresholdsMode.ABSOLUTE, steps=steps)


def targets(queries: Sequence[Query], *, instant: bool = False, rows: bool = False) -> list[Dataquery]:
    """The queries of a panel; `instant` asks for now, `rows` for a table."""
    return [_target(query, "ABCDEFGHIJ"[place], instant, rows) for place, query in enumerate(queries)]


def _target(query: Query, name: str, instant: bool, rows: bool) -> Dataquery:
    builder = prometheus.Dataquery().ref_id(name).expr(query.expr).datasource(PROMETHEUS)
    builder = builder.instant() if instant else builder.range()
    if query.legend:
        builder = builder.legend_format(query.legend)
    if rows:
        builder = builder.format(PromQueryFormat.TABLE)
    return builder.exemplar(query.exemplars).build()


def coloured(names: Sequence[str]) -> list[dashboard.DashboardFieldConfigSourceOverrides]:
    """Each of these series in the colour of its meaning."""
    fixed = dashboard.FieldColorModeId.FIXED
    return [
        override(name, "color", dashboard.FieldColor(mode=fixed, fixed_color=MEANINGS[name]))
        for name in names
    ]


def override(column: str, setting: str, value: object) -> dashboard.DashboardFieldConfigSourceOverrides:
    """One setting of one series or column."""
    return dashboard.DashboardFieldConfigSourceOverrides(
        matcher=dashboard.MatcherConfig(id_val="byName", options=column),
        properties=[dashboard.DynamicConfigValue(id_val=setting, value=value)],
    )


def cell_link(one: dashboard.DashboardLink) -> dict[str, object]:
    """A link in the form that a column takes."""
    return {"title": one.title, "url": one.url, "targetBlank": one.target_blank}
