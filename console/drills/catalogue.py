"""The drills that there are, and how each went when it last ran, wherever it ran from."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.settings import Settings
from firedrill.drill.declared import chosen, read_drills
from firedrill.drill.model import Drill
from firedrill.drill.report import last_result

from .peers import why_not


@dataclass(frozen=True)
class Last:
    """The last run: `at` in unix seconds, `notified` and `cleared` in seconds with their lower bounds."""

    passed: bool
    at: float
    seconds: float
    pace: str
    notified: tuple[float, float | None] | None
    cleared: tuple[float, float | None] | None
    failed_step: str
    failure: str
    steps: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Row:
    """One drill of the list; `takes` is about how many seconds it lasts, `why_not` why it cannot run here."""

    name: str
    slice: str
    alert: str
    severity: str
    system: str
    breaks: str
    takes: float
    last: Last | None
    why_not: str


def declared(settings: Settings) -> list[Drill]:
    """Every drill, in the order of slices. Raises TopologyError that names file and drill."""
    files = sorted(settings.slices.glob("*/drills.yml"))
    platform = settings.platform / "drills.yml"
    return [
        drill for file in [*files, *([platform] if platform.is_file() else [])] for drill in read_drills(file)
    ]


def drill_of(drills: Iterable[Drill], name: str) -> Drill:
    """The drill `slice/Alert`, or of an alert whose name is the only one of its kind. Raises UsageError."""
    return chosen(drills, [name])[0]


def own_results(settings: Settings) -> Path:
    """Where this console keeps results: in the local runtime's folder, else only as long as it runs."""
    if settings.state is not None:
        return settings.state / "console" / "drills"
    return Path(tempfile.gettempdir()) / "firedrill-console" / "drills"


def result_folders(settings: Settings) -> list[Path]:
    """Where results lie: this console's, and those of the command line as far as they can be read."""
    found = [own_results(settings), settings.project / "reports" / "drills"]
    return [*found, settings.state / "drills"] if settings.state is not None else found


def rows(drills: Sequence[Drill], settings: Settings) -> list[Row]:
    """The list, as it is now."""
    folders = result_folders(settings)
    return [_row(drill, settings, last_of(drill, folders)) for drill in drills]


def last_of(drill: Drill, folders: Iterable[Path]) -> Last | None:
    """The latest result among all folders."""
    found = [last for folder in folders if (last := _last(last_result(folder, drill))) is not None]
    return max(found, key=lambda one: one.at, default=None)


def _row(drill: Drill, settings: Settings, last: Last | None) -> Row:
    deadlines = drill.deadlines[settings.pace]
    takes = last.seconds if last and last.passed and last.pace == settings.pace else None
    return Row(
        name=drill.name,
        slice=drill.slice,
        alert=drill.alert,
        severity=drill.labels.get("severity", ""),
        system=drill.labels.get("system", ""),
        breaks=str(drill.fault),
        takes=takes or deadlines.fire + deadlines.clear,
        last=last,
        why_not=why_not(drill, settings),
    )


def _last(found: Mapping[str, Any] | None) -> Last | None:
    if found is None:
        return None
    try:
        steps = tuple(found["steps"])
        return Last(
            passed=bool(found["passed"]),
            at=float(found["started_at"]),
            seconds=float(found["seconds"]),
            pace=str(found["pace"]),
            notified=_times(steps, "notified"),
            cleared=_times(steps, "cleared"),
            failed_step=str(found["failed_step"]),
            failure=str(found["failure"]),
            steps=steps,
        )
    except (KeyError, TypeError, ValueError):
        return None  # of another version


def _times(steps: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float | None] | None:
    step = next((one for one in steps if one["name"] == name), None)
    if step is None:
        return None
    least = step["least"]
    return float(step["seconds"]), None if least is None else float(least)
