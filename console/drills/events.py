"""What a running drill tells: one JSON object a line from its process, folded into what a page shows.

waiting   a step begins                 {"step", "deadline", "at"}
done      a step was reached            {"step", "since", "seconds", "at", "least", "deadline", "text"}
note      something worth knowing       {"text"}
bound     the lower bound is known      {"lines"}
result    the end, passed or failed     {"passed", "failed_step", "failure", "steps", "line"}
stopped   it was stopped and has healed {}
problem   it could not begin            {"what", "why", "todo"}
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from firedrill.drill.result import Result, Step
from firedrill.errors import FiredrillError

_STEP = ("name", "since", "seconds", "at", "least", "deadline", "text")
State = Literal["running", "stopping", "passed", "failed", "stopped", "died"]


@dataclass(frozen=True)
class Waiting:
    """The step that is waited for: since when, and how long it may take (None: as long as it needs)."""

    step: str
    since: float
    deadline: float | None


@dataclass(frozen=True)
class Progress:
    """A run of a drill as it is now; times in unix seconds, `ended` None while it lasts."""

    drill: str
    began: float
    steps: tuple[Step, ...] = ()
    waiting: Waiting | None = None
    notes: tuple[str, ...] = ()
    bound: tuple[str, ...] = ()
    state: State = "running"
    line: str = ""
    failed_step: str = ""
    failure: str = ""
    ended: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.ended is not None

    def step(self, name: str) -> Step | None:
        """A step that was reached."""
        return next((one for one in self.steps if one.name == name), None)


def read(line: str) -> Mapping[str, Any] | None:
    """The event of one line, None for what is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def after(progress: Progress, event: Mapping[str, Any], *, now: float) -> Progress:
    """The progress after an event; one that is not known changes nothing."""
    kind = event["event"]
    changes: dict[str, Any] = {}
    if kind == "waiting":
        changes = {"waiting": Waiting(event["step"], float(event["at"]), event["deadline"])}
    elif kind == "done":
        step = Step(**{name: event[name] for name in _STEP})
        rest = tuple(one for one in progress.steps if one.name != step.name)
        changes = {"steps": (*rest, step), "waiting": None}
    elif kind == "note":
        changes = {"notes": (*progress.notes, str(event["text"]))}
    elif kind == "bound":
        changes = {"bound": tuple(map(str, event["lines"]))}
    elif kind == "result":
        changes = _end(event, now)
    elif kind == "stopped":
        changes = {"state": "stopped", "ended": now, "waiting": None}
    elif kind == "problem":
        failure = "\n".join(str(event[name]) for name in ("what", "why", "todo") if event.get(name))
        changes = {"state": "failed", "failure": failure, "ended": now, "waiting": None}
    return replace(progress, **changes)


def died(progress: Progress, said: str, *, now: float) -> Progress:
    """The process ended without a word of its own."""
    if progress.is_over:
        return progress
    failure = f"the drill's process ended without a result\n{said}".strip()
    return replace(progress, state="died", failure=failure, ended=now, waiting=None)


def _end(event: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {
        "steps": tuple(Step(**{name: one[name] for name in _STEP}) for one in event["steps"]),
        "waiting": None,
        "state": "passed" if event["passed"] else "failed",
        "line": str(event["line"]),
        "failed_step": str(event["failed_step"]),
        "failure": str(event["failure"]),
        "ended": now,
    }


def waiting_line(step: str, deadline: float | None, *, at: float) -> str:
    """A step begins at unix second `at`."""
    return _line("waiting", step=step, deadline=deadline, at=at)


def done_line(step: Step) -> str:
    """A step was reached."""
    return _line("done", **asdict(step))


def note_line(text: str) -> str:
    """Something that a reader should know."""
    return _line("note", text=text)


def bound_line(lines: Sequence[str]) -> str:
    """The lower bound, in words."""
    return _line("bound", lines=list(lines))


def result_line(result: Result) -> str:
    """The end."""
    return _line(
        "result",
        passed=result.passed,
        failed_step=result.failed_step,
        failure=result.failure,
        steps=[asdict(step) for step in result.steps],
        line=result.line(),
    )


def stopped_line() -> str:
    """It was stopped; fault and traffic are gone."""
    return _line("stopped")


def problem_line(error: FiredrillError) -> str:
    """It could not begin."""
    return _line("problem", what=error.what, why=error.why, todo=error.todo)


def _line(event: str, **values: object) -> str:
    return json.dumps({"event": event, **values}, ensure_ascii=False)
