"""The dashboards' JSON from the builders of the slices, and the page docs/dashboards.md."""

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/dashboards.md"
WANTED = ROOT / "tests/contract/expected_dashboards.yaml"
EMPTY = ROOT / "dashboards/empty_in_calm.yml"
PLATFORM = ("firedrill.dashboards.overview", "firedrill.dashboards.stack")
HEAD = ("panel", "asked for as", "made as", "unit", "queries")
INTRODUCTION = """Dashboards are Python: the panels of a service stand in its slice
(`services/<slice>/dashboard.py`), those of the platform in `firedrill/dashboards/`, how they look in its
`theme.py`. `make generate` compiles them to `dashboards/<folder>/<uid>.json`, which Grafana provisions
(port 3002). Limits are read from the rules, and graphs mark alerts and set faults. Ranges are written at
production pace; recording rules carry the pace that runs. `make check` refuses a metric, label or log field
that nothing declares, an unknown datasource, a variable that nothing uses and a link that leads nowhere.

*Asked for* is what the systems' own documents want; *ours* is added by this project.
"""


def boards() -> list[Any]:
    """Every dashboard that the slices and the platform declare, by uid."""
    names = [f"services.{path.parent.name}.dashboard" for path in (ROOT / "services").glob("*/dashboard.py")]
    found = [one for name in (*names, *PLATFORM) for one in importlib.import_module(name).dashboards()]
    return sorted(found, key=lambda board: str(board.uid))


def files() -> dict[Path, str]:
    """Each dashboard's file with its text."""
    from firedrill.dashboards.board import text  # noqa: PLC0415 - needs the package of make generate

    return {ROOT / board.path: text(board) for board in boards()}


def leftovers() -> list[Path]:
    """Dashboards that no builder makes any more."""
    made = {ROOT / board.path for board in boards()}
    return sorted(path for path in (ROOT / "dashboards").glob("*/*.json") if path not in made)


def page(mark: str, table: Callable[..., str]) -> str:
    """The page; `mark` says that it is generated, `table` makes Markdown of a head and rows."""
    wanted = yaml.safe_load(WANTED.read_text("utf-8"))["dashboards"]
    parts = ["# Dashboards\n", mark, INTRODUCTION]
    for made in (json.loads(text) for text in files().values()):
        asked = wanted[made["uid"]]
        parts += [f"## {made['title']}\n", f"{made['description']} `{made['uid']}`\n"]
        parts.append(table(HEAD, list(_rows(made, asked["panels"]))))
        missing = [one["title"] for one in asked["panels"] if one["title"] not in _titles(made)]
        if missing:
            parts.append(f"Not made: {', '.join(missing)}.\n")
    empty = yaml.safe_load(EMPTY.read_text("utf-8"))["panels"]
    parts.append("## Panels that are empty in calm\n")
    head = ("dashboard", "panel", "empty until the drill, or while", "why")
    rows = [
        (one["dashboard"], one["panel"], one.get("drill") or f"`{one['while']}`", one["why"]) for one in empty
    ]
    parts.append(table(head, rows))
    return "\n".join(parts)


def _titles(made: dict[str, Any]) -> list[str]:
    return [panel["title"] for panel in made["panels"]]


def _rows(made: dict[str, Any], wanted: list[dict[str, str]]) -> Iterator[tuple[str, ...]]:
    asked = {one["title"]: one for one in wanted}
    for panel in made["panels"]:
        want = asked.get(panel["title"], {})
        queries = "<br>".join(f"`{target['expr']}`" for target in panel["targets"])
        yield (
            panel["title"],
            want.get("asked", "ours"),
            panel["type"],
            panel["fieldConfig"]["defaults"]["unit"],
            queries,
        )
