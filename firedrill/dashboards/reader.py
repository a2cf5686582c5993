"""Reads compiled dashboards: every query with its place, every link, every variable."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LABELS = re.compile(r"label_values\(\s*(\w+)\s*,\s*(\w+)\s*\)")


@dataclass(frozen=True)
class Query:
    """One query of a panel or annotation; `place` says which. `columns` are the labels that a table shows."""

    place: str
    datasource: str
    expr: str
    legend: str = ""
    columns: tuple[str, ...] = ()
    instant: bool = False


def read_dashboards(project: Path) -> list[dict[str, Any]]:
    """Every compiled dashboard of a project."""
    return [json.loads(file.read_text("utf-8")) for file in sorted(project.glob("dashboards/*/*.json"))]


def queries(made: Mapping[str, Any]) -> Iterator[Query]:
    """The queries of all panels, then those of annotations and of variables that ask Prometheus."""
    uid = made["uid"]
    for panel in made["panels"]:
        columns = tuple(
            name
            for step in panel.get("transformations", ())
            if step["id"] == "filterFieldsByName"
            for name in step["options"]["include"]["names"]
        )
        for target in panel["targets"]:
            yield Query(
                place=f"{uid}: {panel['title']}",
                datasource=target["datasource"]["uid"],
                expr=target["expr"],
                legend=target.get("legendFormat", ""),
                columns=columns,
                instant=bool(target.get("instant")),
            )
    for note in made["annotations"]["list"]:
        legend = f"{note.get('titleFormat', '')} {note.get('textFormat', '')}"
        yield Query(f"{uid}: annotation {note['name']}", note["datasource"]["uid"], note["expr"], legend)
    for name, metric, label in label_queries(made):
        yield Query(f"{uid}: variable {name}", "prometheus", f"group by ({label}) ({metric})")


def label_queries(made: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, metric and label of each variable whose values come from Prometheus."""
    for one in made["templating"]["list"]:
        if one["datasource"]["uid"] == "prometheus":
            found = _LABELS.fullmatch(one["query"]["query"])
            yield (one["name"], found[1], found[2]) if found else (one["name"], "", one["query"]["query"])


def links(made: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Place and address of each link: of the dashboard, its panels, and cells of tables."""
    for place, one in _linked(made):
        if one.get("url"):
            yield place, one["url"]


def _linked(made: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    uid = made["uid"]
    yield from ((uid, one) for one in made.get("links", ()))
    for panel in made["panels"]:
        place = f"{uid}: {panel['title']}"
        yield from ((place, one) for one in panel.get("links") or ())
        fields = panel["fieldConfig"]
        yield from ((place, one) for one in fields["defaults"].get("links") or ())
        for override in fields["overrides"]:
            for setting in override["properties"]:
                if setting["id"] == "links":
                    yield from ((place, one) for one in setting["value"])
