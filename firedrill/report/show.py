"""How a report looks: tables on a terminal, JSON for programs, Markdown for people."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from firedrill.ask.text import clean

from .model import MEASURES, Figure, Measure, Report

MOST_ROWS = 15  # of a measure that has hundreds of subjects; the JSON has them all
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_WHOLE = 100


def amount(value: float | None, unit: str) -> str:
    """A value with three digits, bytes in powers of ten; nothing for None."""
    if value is None:
        return ""
    for factor, name in _SIZES if unit == "B" else ():
        if value >= factor:
            return f"{_digits(value / factor)} {name}"
    return f"{_digits(value)} {unit}".strip()


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE or value == int(value) else f"{value:.3g}"


def shown(report: Report, measure: Measure) -> tuple[list[Figure], int]:
    """The figures of a measure that are shown, those over their budget first, and how many are not."""
    found = sorted(report.of(measure.key), key=lambda one: not one.exceeded)
    rows = [one for place, one in enumerate(found) if place < MOST_ROWS or one.exceeded]
    return rows, len(found) - len(rows)


def print_report(console: Console, report: Report) -> None:
    """A table for each measure, what is not in the report, and the verdict."""
    for measure in MEASURES.values():
        rows, more = shown(report, measure)
        if rows:
            console.print(_table(measure, rows))
        if more:
            console.print(Text(f"and {more} more, all within their budgets\n", style="dim"))
    for remark in report.remarks:
        console.print(Text(f"note: {clean(remark)}"), soft_wrap=True)
    console.print(Text(head(report)), soft_wrap=True)
    for one in report.exceeded:
        console.print(Text(f"OVER BUDGET  {sentence(one)}", style="bold red"), soft_wrap=True)
    if not report.exceeded:
        console.print(Text("every figure is within its budget", style="bold green"))


def head(report: Report) -> str:
    """When it was measured and over how long."""
    when = datetime.fromtimestamp(report.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{when}; rates are those of the last {report.window / 60:.1f} minutes"


def sentence(one: Figure) -> str:
    """A figure over its budget, with the budget's reason."""
    measure = MEASURES[one.measure]
    most = amount(one.budget.at_most, measure.unit) if one.budget else ""
    why = f" ({one.budget.reason})" if one.budget else ""
    found = amount(one.value, measure.unit)
    note = f"; {clean(one.note)}" if one.note else ""
    return f"{one.measure} of {clean(one.subject)}: {found}, budget {most}{why}{note}"


def _table(measure: Measure, rows: Sequence[Figure]) -> Table:
    table = Table(title=measure.title, title_justify="left")
    for heading in ("", "measured", "budget", "used", "note"):
        side: JustifyMethod = "left" if heading in {"", "note"} else "right"
        table.add_column(heading, justify=side, overflow="fold")  # a name is never cut off
    for one in rows:
        style = "bold red" if one.exceeded else ""
        table.add_row(*(Text(cell, style=style) for cell in cells(one)))
    return table


def cells(one: Figure) -> tuple[str, ...]:
    """Subject, value, budget, share of it and note."""
    unit = MEASURES[one.measure].unit
    value = "not yet" if one.value is None else amount(one.value, unit)
    most = amount(one.budget.at_most, unit) if one.budget else "none"
    used = f"{one.used:.0%}" if one.used is not None else ""
    return clean(one.subject), value, most, used, clean(one.note)


def as_json(report: Report) -> str:
    """Everything, figures without a value too."""
    document = {
        "at": report.at,
        "window_seconds": report.window,
        "within_budgets": not report.exceeded,
        "exceeded": [f"{one.measure} of {one.subject}" for one in report.exceeded],
        "figures": [{**asdict(one), "unit": MEASURES[one.measure].unit} for one in report.figures],
        "remarks": list(report.remarks),
    }
    return json.dumps(document, indent=2) + "\n"


def as_markdown(report: Report) -> str:
    """The same tables as on the terminal."""
    lines = ["# Cardinality and volume", "", f"{head(report)}.", ""]
    for one in report.exceeded:
        lines += [f"**Over budget**: {sentence(one)}", ""]
    for measure in MEASURES.values():
        rows, more = shown(report, measure)
        if not rows:
            continue
        lines += [f"## {measure.title}", "", "| | measured | budget | used | |", "|---|---:|---:|---:|---|"]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells(one)) + " |" for one in rows]
        lines += ["", f"And {more} more, all within their budgets.", ""] if more else [""]
    lines += [f"- {remark}" for remark in report.remarks]
    return "\n".join(lines).rstrip() + "\n"
