"""Reads a generated dashboard's JSON into plain values: panels, variables, annotations, links."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firedrill.pace import seconds

_RELATIVE = re.compile(r"now-(\w+)")
_LABEL_VALUES = re.compile(r"label_values\(\s*(\w+)\s*,\s*(\w+)\s*\)")
DEFAULT_SPAN, DEFAULT_REFRESH = 1800.0, 10.0


@dataclass(frozen=True)
class Target:
    """One query of a panel; `columns` are asked as rows of now (a table), `instant` at the range's end."""

    ref: str
    datasource: str
    expr: str
    legend: str
    instant: bool
    exemplars: bool
    most_lines: int


@dataclass(frozen=True)
class Link:
    """A link as the dashboard has it; `url` may name fields of a row."""

    title: str
    url: str


@dataclass(frozen=True)
class Step:
    """From `value` on (None: from below) the colour `colour`."""

    value: float | None
    colour: str


@dataclass(frozen=True)
class Place:
    """Where a panel stands, in a grid of 24 columns."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Panel:
    """One panel with what is drawn and how; `colours` are fixed ones of series, by name."""

    id: int
    type: str
    title: str
    description: str
    place: Place
    targets: tuple[Target, ...]
    unit: str
    decimals: int | None
    least: float | None
    most: float | None
    steps: tuple[Step, ...]
    draws_limit: bool
    colours_value: bool
    bars: bool
    stacked: bool
    fill: float
    calc: str
    colours: Mapping[str, str]
    links: tuple[Link, ...]
    columns: tuple[str, ...]
    hidden: tuple[str, ...]
    cell_links: Mapping[str, Link]
    no_value: str
    text: str


@dataclass(frozen=True)
class Variable:
    """A choice at the top: the values of `label` of a metric; without a metric those that Loki knows."""

    name: str
    title: str
    metric: str | None
    label: str
    all_value: str


@dataclass(frozen=True)
class Annotation:
    """What is marked on the graphs while `expr` has series."""

    name: str
    colour: str
    expr: str
    title: str
    text: str


@dataclass(frozen=True)
class Board:
    """One dashboard; `span` is how much time it shows, and `refresh` how often it asks, in seconds."""

    uid: str
    title: str
    folder: str
    description: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...]
    annotations: tuple[Annotation, ...]
    links: tuple[Link, ...]
    span: float
    refresh: float


class BoardError(ValueError):
    """The file is not a dashboard that can be read; the text says which and why."""


def read_boards(folder: Path) -> tuple[Board, ...]:
    """Every dashboard below `folder`, by its own folder and title. Raises BoardError."""
    found = [read_board(file) for file in folder.glob("*/*.json")]
    return tuple(sorted(found, key=lambda one: (one.folder != "platform", one.folder, one.title)))


def read_board(file: Path) -> Board:
    """One dashboard. Raises BoardError."""
    try:
        return _board(json.loads(file.read_text("utf-8")), file.parent.name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BoardError(f"{file.name}: {type(error).__name__}: {error}") from error


def _board(made: Mapping[str, Any], folder: str) -> Board:
    return Board(
        uid=made["uid"],
        title=made["title"],
        folder=folder,
        description=made.get("description", ""),
        panels=tuple(_panel(one) for one in _flat(made.get("panels", ()))),
        variables=tuple(_variable(one) for one in made.get("templating", {}).get("list", ())),
        annotations=tuple(_annotation(one) for one in made.get("annotations", {}).get("list", ())),
        links=tuple(Link(one["title"], one["url"]) for one in made.get("links", ()) if one.get("url")),
        span=_span(made.get("time", {}).get("from", "")),
        refresh=seconds(made["refresh"]) if made.get("refresh") else DEFAULT_REFRESH,
    )


def _span(words: str) -> float:
    found = _RELATIVE.fullmatch(words)
    return seconds(found[1]) if found else DEFAULT_SPAN


def _flat(panels: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Panels in rows stand beside the others, as they are drawn; rows are titles only."""
    for one in panels:
        if one["type"] != "row":
            yield one
        yield from _flat(one.get("panels") or ())


def _panel(one: Mapping[str, Any]) -> Panel:
    config = one.get("fieldConfig", {})
    defaults, overrides = config.get("defaults", {}), config.get("overrides", ())
    custom, options = defaults.get("custom", {}), one.get("options", {})
    grid = one.get("gridPos", {})
    return Panel(
        id=one["id"],
        type=one["type"],
        title=one.get("title", ""),
        description=one.get("description", ""),
        place=Place(grid.get("x", 0), grid.get("y", 0), grid.get("w", 24), grid.get("h", 8)),
        targets=tuple(_target(target, one) for target in one.get("targets", ())),
        unit=defaults.get("unit", "short"),
        decimals=defaults.get("decimals"),
        least=defaults.get("min"),
        most=defaults.get("max"),
        steps=tuple(
            Step(step.get("value"), step["color"]) for step in defaults.get("thresholds", {}).get("steps", ())
        ),
        draws_limit=custom.get("thresholdsStyle", {}).get("mode", "off") != "off",
        colours_value=options.get("colorMode", "value") != "none",
        bars=custom.get("drawStyle") == "bars",
        stacked=custom.get("stacking", {}).get("mode", "none") != "none",
        fill=custom.get("fillOpacity", 0) / 100,
        calc=next(iter(options.get("reduceOptions", {}).get("calcs", ())), "lastNotNull"),
        colours={
            name: one["fixedColor"] for name, one in _settings(overrides, "color") if "fixedColor" in one
        },
        links=tuple(Link(link["title"], link["url"]) for link in one.get("links") or ()),
        columns=_columns(one.get("transformations", ())),
        hidden=tuple(name for name, value in _settings(overrides, "custom.hidden") if value),
        cell_links={
            name: Link(value[0]["title"], value[0]["url"]) for name, value in _settings(overrides, "links")
        },
        no_value=defaults.get("noValue", ""),
        text=options.get("content", ""),
    )


def _settings(overrides: Sequence[Mapping[str, Any]], setting: str) -> Iterator[tuple[str, Any]]:
    """Name and value of a setting that is overridden for series or columns by name."""
    for one in overrides:
        if one["matcher"]["id"] == "byName":
            for found in one["properties"]:
                if found["id"] == setting:
                    yield one["matcher"]["options"], found["value"]


def _columns(steps: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns of a table, in their order."""
    names: list[str] = []
    for step in steps:
        if step["id"] == "filterFieldsByName":
            names = list(step["options"]["include"]["names"])
        if step["id"] == "organize":
            order = step["options"].get("indexByName", {})
            names.sort(key=lambda name: order.get(name, len(order)))
    return tuple(names)


def _target(target: Mapping[str, Any], panel: Mapping[str, Any]) -> Target:
    datasource = target.get("datasource") or panel.get("datasource") or {}
    return Target(
        target.get("refId", ""),
        datasource.get("uid", ""),
        target["expr"],
        target.get("legendFormat", ""),
        bool(target.get("instant")),
        bool(target.get("exemplar")),
        int(target.get("maxLines") or 100),
    )


def _variable(one: Mapping[str, Any]) -> Variable:
    query, title = one["query"], one.get("label") or one["name"]
    everything = one.get("allValue") or ".+"
    if one["datasource"]["uid"] == "loki":
        return Variable(one["name"], title, None, query["label"], everything)
    found = _LABEL_VALUES.fullmatch(query["query"])
    if found is None:
        raise BoardError(f"the variable {one['name']} cannot be read: {query['query']}")
    return Variable(one["name"], title, found[1], found[2], everything)


def _annotation(one: Mapping[str, Any]) -> Annotation:
    return Annotation(
        one["name"],
        one.get("iconColor", "red"),
        one["expr"],
        one.get("titleFormat", ""),
        one.get("textFormat", ""),
    )
