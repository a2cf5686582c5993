"""Drill results on disk: JSON and JUnit for programs, Markdown for people, and each drill's last result."""

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from firedrill.documents import machine, write
from firedrill.errors import UsageError

from .display import bound_lines
from .model import Drill
from .result import Result

RATIOS = ("notified", "cleared")


FORMS = (".json", ".xml", ".md")


def checked(path: Path) -> Path:
    """`path` as it is; raises UsageError when its suffix is no form of a report."""
    if path.suffix and path.suffix not in FORMS:
        raise UsageError(
            f"there is no report in the form {path.suffix}", f"known are {', '.join(FORMS)}", "or no suffix"
        )
    return path


def write_report(path: Path, results: Iterable[Result]) -> list[Path]:
    """Write the results to `path`, in the form of its suffix: .json, .xml (JUnit) or .md (the table).

    Without a suffix all three are written, the Markdown with every step; returns what was written. Raises
    UsageError for another suffix, EnvironmentProblem when it cannot write.
    """
    found = list(results)
    forms: Mapping[str, Callable[[], str]] = {
        ".json": lambda: as_json(found),
        ".xml": lambda: as_junit(found),
        ".md": lambda: as_markdown(found, details=not path.suffix),
    }
    checked(path)
    written = []
    for suffix, form in forms.items():
        if path.suffix in {"", suffix}:
            file = path.with_suffix(suffix)
            write(file, form())
            written.append(file)
    return written


def as_json(results: Sequence[Result]) -> str:
    """Everything, with the machine that it was measured on."""
    document = {
        "passed": all(one.passed for one in results),
        "machine": machine(),
        "ratios": {name: spread(results, name) for name in RATIOS},
        "drills": [one.as_dict() for one in results],
    }
    return json.dumps(document, indent=2, default=str) + "\n"


def as_junit(results: Sequence[Result]) -> str:
    """A test case for each drill, as build servers read them."""
    failures = sum(not one.passed for one in results)
    seconds = sum(one.seconds for one in results)
    suite = ElementTree.Element(
        "testsuite", name="drills", tests=str(len(results)), failures=str(failures), time=f"{seconds:.1f}"
    )
    for one in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"drills.{one.slice}", name=one.alert, time=f"{one.seconds:.1f}"
        )
        if not one.passed:
            failure = ElementTree.SubElement(case, "failure", message=one.failure.splitlines()[0])
            failure.text = one.failure
        ElementTree.SubElement(case, "system-out").text = "\n".join((one.line(), *one.notes))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def spread(results: Iterable[Result], name: str) -> dict[str, float] | None:
    """Median and worst of measured time over lower bound at a step; None when nothing was measured."""
    ratios = [ratio for one in results if (ratio := one.ratio(name)) is not None]
    return {"median": statistics.median(ratios), "worst": max(ratios)} if ratios else None


def remember(folder: Path, result: Result) -> None:
    """Keep `result` as the last one of its drill."""
    write(_last(folder, result.slice, result.alert), json.dumps(result.as_dict(), default=str) + "\n")


def last_result(folder: Path, drill: Drill) -> dict[str, Any] | None:
    """The last result of a drill as it was kept, None before the first or when it cannot be read."""
    try:
        found = json.loads(_last(folder, drill.slice, drill.alert).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def last_line(found: dict[str, Any] | None) -> str:
    """A last result in a few words."""
    if found is None:
        return "never run"
    when = datetime.fromtimestamp(float(found["started_at"]), UTC).strftime("%Y-%m-%d %H:%M UTC")
    if found["passed"]:
        return f"passed {when} at {found['pace']} pace, {found['seconds']:.0f} s"
    return f"FAILED {when} at {found['pace']} pace, at step {found['failed_step']}"


def table(results: Sequence[Result]) -> list[str]:
    """Measured time beside the lower bound, drill by drill, as Markdown."""
    lines = [
        "| drill | notified | at the least | ratio | cleared | at the least | ratio | in all | result |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for result in sorted(results, key=lambda one: (one.slice, one.alert)):
        cells = [cell for name in RATIOS for cell in _measured(result, name)]
        outcome = "passed" if result.passed else f"FAILED at {result.failed_step}"
        name = f"{result.slice}/{result.alert}"
        lines.append(f"| {name} | {' | '.join(cells)} | {result.seconds:.0f} s | {outcome} |")
    for name in RATIOS:
        if found := spread(results, name):
            lines += ["", f"{name}: median ratio {found['median']:.2f}, worst {found['worst']:.2f}."]
    return lines


def as_markdown(results: Sequence[Result], *, details: bool) -> str:
    """The table, and with `details` a section for each drill: its result, the bound and its steps."""
    lines = ["# Drills, measured", "", *_head(results), "", *table(results), ""]
    for result in results:
        if details or not result.passed:
            lines += _section(result)
    return "\n".join(lines).rstrip() + "\n"


def _head(results: Sequence[Result]) -> list[str]:
    begun = min((one.started_at for one in results), default=0.0)
    ended = max((one.started_at + one.seconds for one in results), default=0.0)
    when = datetime.fromtimestamp(begun, UTC).strftime("%Y-%m-%d %H:%M UTC")
    paces = ", ".join(sorted({one.pace for one in results}))
    return [
        f"Measured {when} at {paces} pace on {machine()}: {len(results)} drills in {ended - begun:.0f} s.",
        "",
        "Notified: from the fault to the firing notice in the inbox. Cleared: from the heal to the resolved",
        "notice. At the least: the lower bound, for which promtool runs the loaded rule on ideal series that",
        "begin with what the window really held; `for` and Alertmanager's waits are in it. Where requests",
        "can go wrong without the fault too, all do in the bound of notified, and none in that of cleared.",
    ]


def _measured(result: Result, name: str) -> tuple[str, str, str]:
    step, ratio = result.step(name), result.ratio(name)
    if step is None:
        return ("", "", "")
    return (_seconds(step.seconds), _seconds(step.least), "" if ratio is None else f"{ratio:.2f}")


def _section(result: Result) -> list[str]:
    when = datetime.fromtimestamp(result.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [f"## {result.alert} ({result.slice})", "", f"{when}, {result.pace} pace. {result.line()}", ""]
    if result.failure:
        lines += ["```", result.failure, "```", ""]
    if result.bound:
        lines += [*(f"- {line}" for line in bound_lines(result.bound)), ""]
    lines += ["| step | after | measured | at the least | deadline | |", "|---|---|---:|---:|---:|---|"]
    lines += [
        f"| {step.name} | {step.since} | {_seconds(step.seconds)} | {_seconds(step.least)} "
        f"| {_seconds(step.deadline)} | {step.text} |"
        for step in result.steps
    ]
    return [*lines, "", *(line for note in result.notes for line in (f"Note: {note}", ""))]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _last(folder: Path, slice_name: str, alert: str) -> Path:
    return folder / f"{slice_name}-{alert}.json"
