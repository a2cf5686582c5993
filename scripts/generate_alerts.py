"""The page docs/alerts.md: every alert with who gets it, what it means, its runbook and its drill."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from loadtest.shapes import SHAPES

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/alerts.md"
HEAD = ("alert", "severity", "receiver", "goes to", "for", "means", "drill breaks")
INTRODUCTION = """`for` is how long the condition holds before the alert fires, at production pace; at demo
pace it is a tenth. The name leads to the runbook; what a drill breaks is described in [faults.md](faults.md).
`firedrill drill NAME` runs the drill; [on-call.md](on-call.md) says what to do with an alert.
"""
SHAPES_HEAD = (
    "shape",
    "traffic",
    "seconds",
    "requests a second, at most",
    "fires",
    "on a small machine also",
)
LOAD = """`make load SHAPE=NAME` says which alerts its traffic will fire, and fails when one of them does not
or another one does. That holds at demo pace and for the shape's own time and rate.
"""


def page(mark: str, table: Any) -> str:
    """The page; `mark` says that it is generated, `table` makes Markdown of a head and rows."""
    parts = ["# Alerts\n", mark, INTRODUCTION]
    systems: dict[str, list[tuple[str, ...]]] = {}
    for folder, rule in alerts():
        systems.setdefault(f"{rule['labels']['system']}: {rule['labels']['service']}", []).append(
            _row(folder, rule)
        )
    for name, rows in sorted(systems.items()):
        parts += [f"## {name}\n", table(HEAD, rows)]
    return "\n".join([*parts, "## Load that fires alerts\n", LOAD, table(SHAPES_HEAD, _shapes())])


def _shapes() -> list[tuple[str, ...]]:
    """Each load shape with what it fires."""
    return [
        (
            f"`{one.name}`", one.help, f"{one.seconds:g}", f"{one.rate:g}",
            ", ".join(one.triggers) or "none", ", ".join(one.may_trigger),
        )
        for one in SHAPES.values()
    ]  # fmt: skip


def alerts() -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each alert with the folder of its slice."""
    for folder in [*sorted((ROOT / "services").iterdir()), ROOT / "config" / "platform"]:
        for name in ("alerts.yml", "slo_rules.yml"):
            if (folder / name).exists():
                for group in _yaml(folder / name)["groups"]:
                    yield from ((folder, rule) for rule in group["rules"] if "alert" in rule)


def _row(folder: Path, rule: Mapping[str, Any]) -> tuple[str, ...]:
    name, place = rule["alert"], folder.relative_to(ROOT).as_posix()
    receiver = _receiver(_yaml(ROOT / "config/alertmanager/alertmanager.yml")["route"], rule["labels"])
    return (
        f"[{name}](../{place}/runbooks/{name}.md)",
        rule["labels"]["severity"],
        f"`{receiver}`",
        _destinations(receiver),
        rule.get("for", "0s"),
        _meaning(folder / "runbooks" / f"{name}.md"),
        _drill(folder, name),
    )


def _receiver(route: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Where Alertmanager's tree sends an alert; the matchers of this project are `name="value"`."""
    for child in route.get("routes", ()):
        wanted = re.findall(r'(\w+)="([^"]*)"', " ".join(child["matchers"]))
        if all(labels.get(key) == value for key, value in wanted):
            return _receiver({"receiver": route["receiver"], **child}, labels)
    return str(route["receiver"])


def _destinations(receiver: str) -> str:
    """What a receiver reaches, in words."""
    found = _yaml(ROOT / "config/alertmanager/alertmanager.yml")["receivers"]
    own = next(one for one in found if one["name"] == receiver)
    told = []
    for kind, places in own.items():
        if kind != "name":
            word = kind.removesuffix("_configs")
            told += [f"{word} {place.get('channel') or place.get('to') or ''}".strip() for place in places]
    return ", ".join(told)


def _meaning(runbook: Path) -> str:
    """The first sentence of the runbook, of an objective the second too."""
    text = runbook.read_text("utf-8").partition("## Meaning")[2].partition("## Impact")[0]
    sentences = re.split(r"(?<=[.])\s+(?=[A-Z(])", " ".join(text.split()))
    return " ".join(sentences[: 2 if sentences[0].startswith("Objective") else 1])


def _drill(folder: Path, alert: str) -> str:
    """What the drill breaks."""
    drills = _yaml(folder / "drills.yml")["drills"] if (folder / "drills.yml").exists() else ()
    fault = next((one["fault"] for one in drills if one["alert"] == alert), None)
    if fault is None:
        return ""
    if "process" in fault:
        return f"process `{fault['process']}`"
    return f"`{fault['service']}/{fault['name']}`"


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))
