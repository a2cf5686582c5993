"""How a watch for false alarms looks: the nearest rules on a terminal, all of them in Markdown, and JSON."""

import json
import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from firedrill.documents import machine

from .model import Course, Findings

HEADS = ("alert", "fired", "held for at most", "it fires after", "came to", "where it was nearest")
NEAREST = 6  # rows on a terminal; the report has them all


def ordered(findings: Findings) -> list[Course]:
    """False alarms first, then what was pending, then the nearest."""

    def key(one: Course) -> tuple[bool, float, float, str]:
        return (not one.fired, -one.held_seconds, -_share(one), one.rule.name)

    return sorted(findings.courses, key=key)


def print_findings(console: Console, findings: Findings) -> None:
    """The table and the verdict."""
    table = Table(*HEADS[:-1], box=None, header_style="dim")
    shown = [one for place, one in enumerate(ordered(findings)) if place < NEAREST or one.fired]
    for one in shown:
        table.add_row(*(Text(cell) for cell in cells(one)[:-1]), style="bold red" if one.fired else "")
    console.print(table)
    console.print(
        Text(findings.verdict(), style="bold green" if findings.calm else "bold red"), soft_wrap=True
    )


def as_json(findings: Findings) -> str:
    """Everything; what is no number is null."""
    return json.dumps(_finite(findings.as_dict()), indent=2) + "\n"


def as_markdown(findings: Findings) -> str:
    """The verdict and a row for each alert."""
    rows = [cells(one) for one in ordered(findings)]
    lines = [
        "# Calm, measured",
        "",
        "`make calm` is the other half of the drills: background traffic, nothing broken, so no alert may",
        "fire and no message arrive. A time in which a fault was set, the rules were not evaluated or no",
        "requests came does not count.",
        "",
        f"From {findings.when()}, {machine()}. {findings.verdict()[:1].upper()}{findings.verdict()[1:]}.",
        "",
        "Came to: the part of the way to firing that its condition had made at its nearest moment; of a",
        "condition with several comparisons the one that was furthest counts, and is the one shown.",
        "",
        f"| {' | '.join(HEADS)} |",
        "|---|---|---:|---:|---:|---|",
    ]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    if findings.messages:
        lines += ["", "Messages that arrived:", ""]
        lines += [f"- {one.alertname}, {one.kind} of receiver {one.receiver}" for one in findings.messages]
    return "\n".join(lines) + "\n"


def cells(one: Course) -> tuple[str, ...]:
    """A row, in the order of HEADS."""
    name = f"{one.rule.system}/{one.rule.name}"
    near = one.closest
    came = "" if near is None else f"{near.share:.0%}"
    where = ""
    if near is not None and not math.isnan(near.value):
        left = " ".join(near.left.split())
        where = f"`{left}` was {near.value:.3g}, it takes {near.operator} {near.threshold:.3g}"
    held = f"{one.held_seconds:.0f} s" if one.held_seconds else ""
    return name, "yes" if one.fired else "no", held, f"{one.rule.for_seconds:.0f} s", came, where


def _share(one: Course) -> float:
    return one.closest.share if one.closest else 0.0


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(one) for one in value]
    return value
