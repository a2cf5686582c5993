"""The one theme: how each kind of panel looks, in which colours; built with Grafana's own SDK."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import gauge as gauges
from grafana_foundation_sdk.builders import logs as log_lists
from grafana_foundation_sdk.builders import loki
from grafana_foundation_sdk.builders import piechart as pies
from grafana_foundation_sdk.builders import stat as stats
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders import timeseries as lines
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models import piechart as pie_models

from .limits import Limit
from .parts import LOKI, Query, cell_link, coloured, defaults, fields, finished, override, targets

STAT_HEIGHT, GRAPH_HEIGHT = 5, 9
RUNBOOKS = "http://127.0.0.1:8090/runbooks"


@dataclass(frozen=True)
class Tile:
    """A panel and how many of the 24 columns and how many rows it takes."""

    panel: dashboard.Panel
    width: int
    height: int


def stat(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str,
    width: int,
    limit: Limit | None = None,
    decimals: int | None = None,
    links: Sequence[dashboard.DashboardLink] = (),
) -> Tile:
    """A key figure with its course behind it; it turns red beyond the limit."""
    builder = (
        stats.Panel()
        .graph_mode(common.BigValueGraphMode.AREA)
        .color_mode(common.BigValueColorMode.VALUE if limit else common.BigValueColorMode.NONE)
        .reduce_options(options.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    panel = finished(builder.build(), title, description, unit, limit, links)
    panel.targets = targets(queries)
    defaults(panel).decimals = decimals
    return Tile(panel, width, STAT_HEIGHT)


def gauge(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str,
    width: int,
    limit: Limit,
    most: float,
    height: int = STAT_HEIGHT,
    links: Sequence[dashboard.DashboardLink] = (),
) -> Tile:
    """A value between 0 and `most`, against its limit."""
    builder = (
        gauges.Panel()
        .show_threshold_markers(True)
        .reduce_options(options.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    panel = finished(builder.build(), title, description, unit, limit, links)
    panel.targets = targets(queries)
    defaults(panel).min_val, defaults(panel).max_val = 0, most
    return Tile(panel, width, height)


def graph(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str,
    width: int,
    limit: Limit | None = None,
    bars: bool = False,
    stacked: bool = False,
    meaning: Sequence[str] = (),
    height: int = GRAPH_HEIGHT,
    links: Sequence[dashboard.DashboardLink] = (),
) -> Tile:
    """A course over time; the limit is a dashed line. Series in `meaning` have a colour of MEANINGS."""
    builder = (
        lines.Panel()
        .draw_style(common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE)
        .line_width(1 if bars else 2)
        .fill_opacity(60 if bars else 25 if stacked else 8)
        .show_points(common.VisibilityMode.AUTO)
        .legend(
            options.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            options.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
    )
    if stacked or bars:
        builder = builder.stacking(options.StackingConfig().mode(common.StackingMode.NORMAL))
    if limit:
        builder = builder.thresholds_style(
            options.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    panel = finished(builder.build(), title, description, unit, limit, links)
    panel.targets = targets(queries)
    defaults(panel).color = dashboard.FieldColor(mode=dashboard.FieldColorModeId.PALETTE_CLASSIC)
    defaults(panel).min_val = 0
    fields(panel).overrides = coloured(meaning)
    return Tile(panel, width, height)


def pie(
    title: str,
    description: str,
    query: Query,
    *,
    width: int,
    unit: str = "short",
    meaning: Sequence[str] = (),
    height: int = GRAPH_HEIGHT,
    links: Sequence[dashboard.DashboardLink] = (),
) -> Tile:
    """Shares of a whole over the time shown."""
    builder = (
        pies.Panel()
        .pie_type(pie_models.PieChartType.DONUT)
        .reduce_options(options.ReduceDataOptions().calcs(["lastNotNull"]))
        .legend(
            pies.PieChartLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .values([pie_models.PieChartLegendValues.PERCENT])
        )
    )
    panel = finished(builder.build(), title, description, unit, None, links)
    panel.targets = targets([query], instant=True)
    defaults(panel).color = dashboard.FieldColor(mode=dashboard.FieldColorModeId.PALETTE_CLASSIC)
    defaults(panel).decimals = 0
    fields(panel).overrides = coloured(meaning)
    return Tile(panel, width, height)


def table(
    title: str,
    description: str,
    query: Query,
    *,
    width: int,
    columns: Sequence[str],
    cell_links: Sequence[tuple[str, dashboard.DashboardLink]],
    hidden: Sequence[str] = (),
    none: str,
    height: int = GRAPH_HEIGHT,
) -> Tile:
    """The series of now as rows, with these labels as columns; `none` is said when there is no row.

    Links may fill in `hidden` columns, which nobody sees.
    """
    panel = finished(tables.Panel().build(), title, description, "short", None, ())
    panel.targets = targets([query], instant=True, rows=True)
    shown = dashboard.DataTransformerConfig(
        id_val="filterFieldsByName", options={"include": {"names": list(columns)}}
    )
    order = {name: place for place, name in enumerate(columns)}
    panel.transformations = [
        shown,
        dashboard.DataTransformerConfig(id_val="organize", options={"indexByName": order}),
    ]
    defaults(panel).no_value = none
    links = [override(column, "links", [cell_link(one)]) for column, one in cell_links]
    fields(panel).overrides = [*links, *(override(column, "custom.hidden", True) for column in hidden)]
    return Tile(panel, width, height)


def logs(title: str, description: str, expr: str, *, width: int, height: int = GRAPH_HEIGHT) -> Tile:
    """The newest log lines that a LogQL query finds."""
    builder = (
        log_lists.Panel()
        .show_time(True)
        .wrap_log_message(False)
        .enable_log_details(True)
        .sort_order(common.LogsSortOrder.DESCENDING)
    )
    panel = finished(builder.build(), title, description, "short", None, ())
    panel.datasource = LOKI
    target = loki.Dataquery().expr(expr).query_type("range").max_lines(100).ref_id("A").datasource(LOKI)
    panel.targets = [target.build()]
    return Tile(panel, width, height)


def runbook(slice_name: str, *alerts: str) -> list[dashboard.DashboardLink]:
    """A link to the runbook of each alert that a panel is about."""
    return [link(f"Runbook {alert}", f"{RUNBOOKS}/{slice_name}/{alert}") for alert in alerts]


def link(
    title: str, url: str, *, icon: str = "external link", keep_time: bool = False
) -> dashboard.DashboardLink:
    """A link to a page; within Grafana it may keep the time shown."""
    return dashboard.DashboardLink(
        title=title,
        type_val=dashboard.DashboardLinkType.LINK,
        icon=icon,
        url=url,
        target_blank=not keep_time,
        keep_time=keep_time,
    )
