"""What of a compiled dashboard its backends can be asked, filled in as Grafana fills it in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from firedrill.pace import seconds

from .expressions import ExpressionError

EMPTY = "dashboards/empty_in_calm.yml"
DATASOURCES = "config/grafana/provisioning/datasources/datasources.yml"
_PROMETHEUS_VALUES = re.compile(r"label_values\(\s*(\w+)\s*,\s*(\w+)\s*\)")
_NAME = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}]")
_DATA_POINTS = 400  # of a panel as wide as half a page


@dataclass(frozen=True)
class Ask:
    """One query as its backend gets it; `datasource` is a provisioned uid."""

    datasource: str
    text: str
    instant: bool = False


@dataclass(frozen=True)
class Variable:
    """A variable whose values are those of a label; of a `metric`, or of log streams without one."""

    name: str
    datasource: str
    label: str
    metric: str = ""


@dataclass(frozen=True)
class Shown:
    """A panel or annotation with its queries, variables not filled in."""

    title: str
    asks: tuple[Ask, ...]


@dataclass(frozen=True)
class Live:
    """What a dashboard asks; `folder` is the system that it is about, `range_seconds` the time it shows."""

    uid: str
    title: str
    folder: str
    range_seconds: float
    variables: tuple[Variable, ...]
    panels: tuple[Shown, ...]
    annotations: tuple[Shown, ...]


@dataclass(frozen=True)
class Calm:
    """Why a panel may be empty: until its `drill` (slice/alert), or while `meanwhile` (PromQL) gives data."""

    why: str
    drill: str = ""
    meanwhile: str = ""


def live(made: Mapping[str, Any], folder: str) -> Live:
    """What a compiled dashboard asks. Raises ExpressionError for a variable that cannot be read."""
    return Live(
        uid=made["uid"],
        title=made["title"],
        folder=folder,
        range_seconds=seconds(str(made["time"]["from"]).removeprefix("now-")),
        variables=tuple(_variables(made)),
        panels=tuple(_panels(made["panels"])),
        annotations=tuple(
            Shown(one["name"], (Ask(one["datasource"]["uid"], one["expr"]),))
            for one in made["annotations"]["list"]
        ),
    )


def filled(text: str, macros: Mapping[str, str], values: Mapping[str, Sequence[str]]) -> str:
    """The text with Grafana's macros, and with all values of each variable as one regular expression.

    Raises ExpressionError for a name that is neither.
    """

    def known(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name in macros:
            return macros[name]
        if name in values:
            return _any_of(values[name])
        raise ExpressionError(f"nothing fills in {found[0]}")

    # "$1" of label_replace and "$$" are no names.
    return _NAME.sub(lambda found: found[0] if (found[2] or "").isdigit() else known(found), text)


def macros(range_seconds: float, scrape_seconds: float) -> dict[str, str]:
    """Grafana's macros for the time shown, where Prometheus is said to scrape so often."""
    interval = max(range_seconds / _DATA_POINTS, scrape_seconds)
    rate = max(interval + scrape_seconds, 4 * scrape_seconds)
    return {
        "__interval": f"{interval:g}s",
        "__interval_ms": f"{interval * 1000:g}",
        "__rate_interval": f"{rate:g}s",
        "__range": f"{range_seconds:g}s",
        "__range_s": f"{range_seconds:g}",
        "__range_ms": f"{range_seconds * 1000:g}",
    }


def scrape_seconds(project: Path) -> float:
    """How often Prometheus scrapes, as Grafana is told."""
    sources = yaml.safe_load((project / DATASOURCES).read_text("utf-8"))["datasources"]
    (told,) = (one["jsonData"]["timeInterval"] for one in sources if one["uid"] == "prometheus")
    return seconds(str(told))


def empty_in_calm(project: Path) -> dict[tuple[str, str], Calm]:
    """By dashboard and panel, which may be empty and why. Raises KeyError for an entry without a reason."""
    path = project / EMPTY
    entries = yaml.safe_load(path.read_text("utf-8"))["panels"] if path.is_file() else ()
    return {
        (one["dashboard"], one["panel"]): Calm(one["why"], one.get("drill", ""), one.get("while", ""))
        for one in entries
    }


def _panels(found: Sequence[Mapping[str, Any]]) -> Iterator[Shown]:
    """Those with queries, in rows too."""
    for panel in found:
        yield from _panels(panel.get("panels", ()))
        if targets := panel.get("targets"):
            yield Shown(panel["title"], tuple(_ask(target, panel) for target in targets))


def _ask(target: Mapping[str, Any], panel: Mapping[str, Any]) -> Ask:
    source = target.get("datasource") or panel["datasource"]
    return Ask(str(source["uid"]), target.get("expr") or target.get("query", ""), bool(target.get("instant")))


def _variables(made: Mapping[str, Any]) -> Iterator[Variable]:
    for one in made["templating"]["list"]:
        uid, query = one["datasource"]["uid"], one["query"]
        if uid == "loki":
            yield Variable(one["name"], uid, query["label"])
        elif found := _PROMETHEUS_VALUES.fullmatch(query["query"]):
            yield Variable(one["name"], uid, found[2], found[1])
        else:
            raise ExpressionError(f"the variable ${one['name']} of {made['uid']} cannot be read")


def _any_of(values: Sequence[str]) -> str:
    """As Grafana writes several values into a matcher: quoted for a regular expression in a string."""
    quoted = [_SPECIAL.sub(r"\\\g<0>", value).replace("\\", "\\\\") for value in values]
    return quoted[0] if len(quoted) == 1 else f"({'|'.join(quoted)})"
