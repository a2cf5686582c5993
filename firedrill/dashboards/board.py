"""A dashboard: tiles in rows, variables, the annotations and links that every dashboard has; and its JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from .parts import BAD, LOKI, PROMETHEUS, WARNING
from .theme import Tile, link

COLUMNS, MOST_PANELS = 24, 10
TAG = "firedrill"
ALL = ".+"
"""What a variable stands for when all its values are chosen; Loki refuses what matches nothing too."""


@dataclass(frozen=True)
class Variable:
    """A choice at the top: the values that `label` of a metric has; without a metric, those in Loki."""

    name: str
    label: str
    metric: str | None
    title: str


@dataclass(frozen=True)
class Board:
    """One dashboard; `system` says whose alerts and faults its graphs mark, empty for those of all."""

    uid: str
    title: str
    folder: str
    description: str
    system: str
    rows: Sequence[Sequence[Tile]]
    variables: Sequence[Variable] = ()
    links: Sequence[dashboard.DashboardLink] = ()

    @property
    def path(self) -> str:
        """Where its JSON stands, below the project's folder."""
        return f"dashboards/{self.folder}/{self.uid}.json"


def text(board: Board) -> str:
    """The JSON that Grafana reads. Raises ValueError for a row that is too wide, or too many panels."""
    builder = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG, board.folder])
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time("now-30m", "now")
        .refresh("10s")
        .timezone("browser")
        .variables([_variable(one) for one in board.variables])
        .annotations([_alerts(board.system), _faults(board.system)])
    )
    built = builder.build()
    built.links = [_other_boards(), *board.links]
    built.panels = list(_placed(board))
    made = _visible(json.loads(json.dumps(built, cls=JSONEncoder)))
    return json.dumps({"id": None, "version": 1, **made}, indent=2, sort_keys=True) + "\n"


def logs_link(selector: str) -> dashboard.DashboardLink:
    """To these lines in Loki, of the time shown."""
    return _explore("Logs", "loki", {"refId": "A", "expr": selector})


def traces_link(service: str) -> dashboard.DashboardLink:
    """To the newest traces of a service in Jaeger, of the time shown."""
    query = {"refId": "A", "queryType": "search", "service": service}
    return _explore("Traces", "jaeger", query)


def _explore(title: str, uid: str, query: dict[str, str]) -> dashboard.DashboardLink:
    """Grafana fills in the time shown where ${__from} and ${__to} stand, so these are not quoted."""
    pane = {
        "datasource": uid,
        "queries": [{**query, "datasource": {"type": uid, "uid": uid}}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = quote(json.dumps({"one": pane}, separators=(",", ":")), safe="")
    for name in ("${__from}", "${__to}"):
        panes = panes.replace(quote(name, safe=""), name)
    return link(title, f"/explore?schemaVersion=1&orgId=1&panes={panes}")


def _visible(value: Any) -> Any:
    """Without what would hide links and annotations in a menu, which the SDK always writes."""
    if isinstance(value, list):
        return [_visible(one) for one in value]
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if (key, one) != ("placement", "inControlsMenu")}
        return {key: _visible(one) for key, one in kept.items()}
    return value


def _placed(board: Board) -> list[dashboard.Panel]:
    panels: list[dashboard.Panel] = []
    y = 0
    for row in board.rows:
        if sum(tile.width for tile in row) != COLUMNS:
            titles = ", ".join(str(tile.panel.title) for tile in row)
            raise ValueError(f"{board.uid}: the row of {titles} is not {COLUMNS} columns wide")
        x = 0
        for tile in row:
            tile.panel.id_val = len(panels) + 1
            tile.panel.grid_pos = dashboard.GridPos(h=tile.height, w=tile.width, x=x, y=y)
            panels.append(tile.panel)
            x += tile.width
        y += max(tile.height for tile in row)
    if len(panels) > MOST_PANELS:
        raise ValueError(f"{board.uid} has {len(panels)} panels; {MOST_PANELS} are enough to look at")
    return panels


def _variable(one: Variable) -> builders.QueryVariable:
    if one.metric is None:
        query: dict[str, object] = {
            "label": one.label,
            "refId": "LokiVariableQueryEditor-VariableQuery",
            "type": 1,
        }
    else:
        words = f"label_values({one.metric}, {one.label})"
        query = {"query": words, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    builder = (
        builders.QueryVariable(one.name)
        .label(one.title)
        .datasource(LOKI if one.metric is None else PROMETHEUS)
        .query(query)
        .multi(True)
        .include_all(True)
        .all_value(ALL)
        .current(dashboard.VariableOption(selected=True, text="All", value="$__all"))
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )
    return builder if one.metric is None else builder.definition(str(query["query"]))


def _alerts(system: str) -> builders.AnnotationQuery:
    """Where alerts fire; Watchdog always does, and has severity none."""
    own = f', system="{system}"' if system else ""
    return _annotation(
        "Alerts",
        BAD,
        f'ALERTS{{alertstate="firing", severity!="none"{own}}}',
        "{{alertname}}",
        "{{severity}}, {{service}}",
    )


def _faults(system: str) -> builders.AnnotationQuery:
    """Where faults are set."""
    own = f'{{system="{system}"}}' if system else ""
    return _annotation("Faults", WARNING, f"fault_active{own} == 1", "Fault {{fault}}", "{{instance}}")


def _annotation(name: str, colour: str, expr: str, title: str, words: str) -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(colour)
        .expr(expr)
        .step("15s")
        .title_format(title)
        .text_format(words)
    )


def _other_boards() -> dashboard.DashboardLink:
    return dashboard.DashboardLink(
        title="Dashboards",
        type_val=dashboard.DashboardLinkType.DASHBOARDS,
        icon="external link",
        tags=[TAG],
        as_dropdown=True,
        keep_time=True,
    )
