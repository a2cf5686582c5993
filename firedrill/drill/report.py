"""Drill results on disk: JSON for programs, Markdown for people, and the last result of each drill."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firedrill.errors import EnvironmentProblem

from .display import bound_lines
from .model import Drill
from .result import Result


def write_report(path: Path, results: Iterable[Result]) -> list[Path]:
    """Write `path` as .json and as .md; returns both. Raises EnvironmentProblem when it cannot."""
    found = list(results)
    document = {"passed": all(one.passed for one in found), "drills": [one.as_dict() for one in found]}
    texts = {".json": json.dumps(document, indent=2, default=str) + "\n", ".md": as_markdown(found)}
    written = []
    for suffix, text in texts.items():
        file = path.with_suffix(suffix)
        _write(file, text)
        written.append(file)
    return written


def remember(folder: Path, result: Result) -> None:
    """Keep `result` as the last one of its drill."""
    _write(_last(folder, result.slice, result.alert), json.dumps(result.as_dict(), default=str) + "\n")


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


def as_markdown(results: Iterable[Result]) -> str:
    """A section for each drill: its result, the bound and a table of steps."""
    lines = ["# Drills", ""]
    for result in results:
        when = datetime.fromtimestamp(result.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        lines += [
            f"## {result.alert} ({result.slice})",
            "",
            f"{when}, {result.pace} pace. {result.line()}",
            "",
        ]
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
        lines += ["", *(f"Note: {note}" for note in result.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _last(folder: Path, slice_name: str, alert: str) -> Path:
    return folder / f"{slice_name}-{alert}.json"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be written", str(error), "choose another --report") from None
