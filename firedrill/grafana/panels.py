"""The panels of the generated dashboards, and their queries with variables filled in."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

EMPTY = "empty_in_calm.yml"
# A panel of a browser's width; Grafana's own macros are expanded by its backend from these.
INTERVAL_MILLISECONDS, DATA_POINTS = 15_000, 400
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


@dataclass(frozen=True)
class Panel:
    """One panel with queries; `uids` are the datasources that it asks."""

    dashboard: str
    title: str
    queries: tuple[Mapping[str, Any], ...]

    @property
    def uids(self) -> frozenset[str]:
        """The uids of its datasources."""
        return frozenset(str(query["datasource"]["uid"]) for query in self.queries)

    def __str__(self) -> str:
        return f"{self.dashboard}, {self.title!r}"


def files(folder: Path) -> list[Path]:
    """The dashboards below `folder`, one file each."""
    return sorted(folder.rglob("*.json"))


def read(folder: Path) -> list[Panel]:
    """The panels with queries of every dashboard below `folder`."""
    return [panel for path in files(folder) for panel in panels(json.loads(path.read_text(encoding="utf-8")))]


def panels(dashboard: Mapping[str, Any]) -> Iterator[Panel]:
    """The panels of one dashboard, those in rows included."""
    filled = {one["name"]: _value(one) for one in dashboard.get("templating", {}).get("list", ())}
    for panel in _flat(dashboard.get("panels", ())):
        if targets := panel.get("targets"):
            queries = tuple(_query(target, panel, filled) for target in targets)
            yield Panel(dashboard["uid"], str(panel.get("title", "")), queries)


def empty_in_calm(folder: Path) -> frozenset[tuple[str, str]]:
    """Dashboard and title of each panel that shows nothing before a drill fills it."""
    path = folder / EMPTY
    if not path.is_file():
        return frozenset()
    entries = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("panels") or ()
    return frozenset((one["dashboard"], one["panel"]) for one in entries if "drill" in one)


def _flat(found: Any) -> Iterator[Mapping[str, Any]]:
    for panel in found:
        yield panel
        yield from _flat(panel.get("panels", ()))


def _value(variable: Mapping[str, Any]) -> str:
    """What stands for the variable: everything where it offers that, else what is chosen in the file."""
    if variable.get("includeAll"):
        return str(variable.get("allValue") or ".*")
    chosen = (variable.get("current") or {}).get("value", "")
    return "|".join(map(str, chosen)) if isinstance(chosen, list) else str(chosen)


def _query(target: Mapping[str, Any], panel: Mapping[str, Any], filled: Mapping[str, str]) -> dict[str, Any]:
    query = {"datasource": panel.get("datasource"), **target}
    query |= {"intervalMs": INTERVAL_MILLISECONDS, "maxDataPoints": DATA_POINTS}
    for key, value in query.items():
        if isinstance(value, str):
            query[key] = _VARIABLE.sub(lambda found: filled.get(found[1] or found[2], found[0]), value)
    return query
