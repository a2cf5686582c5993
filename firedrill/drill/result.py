"""What a drill measured: its steps, its bound and, when it failed, at which step and why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from firedrill.errors import CheckFailed

from .bound import Bound

STEPS = (
    "calm", "traffic", "fault", "signal", "pending", "firing", "notified", "runbook", "heal", "resolved",
    "cleared",
)  # fmt: skip
HEARTBEAT_STEPS = ("calm", "fault", "notified", "runbook", "heal", "cleared")


class StepFailed(CheckFailed):
    """A step of a drill failed; `step` is its name."""

    def __init__(self, step: str, what: str, why: str = "", todo: str = "") -> None:
        self.step = step
        super().__init__(f"step '{step}': {what}", why, todo)


@dataclass(frozen=True)
class Step:
    """A step that was reached, `seconds` after `since` (start, fault or heal); `at` is unix seconds.

    `least` is its part of the lower bound and `deadline` what it may take, both in seconds after `since`.
    """

    name: str
    since: str
    seconds: float
    at: float
    least: float | None = None
    deadline: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Result:
    """One run of one drill."""

    alert: str
    slice: str
    pace: str
    started_at: float
    seconds: float
    steps: tuple[Step, ...]
    bound: Bound | None = None
    failed_step: str = ""
    failure: str = ""
    traffic: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every step was reached in time."""
        return not self.failed_step

    def step(self, name: str) -> Step | None:
        """A step by name, None when it was not reached."""
        return next((step for step in self.steps if step.name == name), None)

    def ratio(self, name: str) -> float | None:
        """A step's time over its lower bound."""
        step = self.step(name)
        return step.seconds / step.least if step and step.least else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self)
        bound = self.bound
        if bound:
            found["bound"] |= {"notified": bound.notified, "usual": bound.usual, "cleared": bound.cleared()}
        return {
            **found,
            "passed": self.passed,
            "ratios": {name: self.ratio(name) for name in ("notified", "cleared")},
        }

    def line(self) -> str:
        """The result in one line: measured beside bound, or the failed step."""
        if not self.passed:
            return f"{self.alert}: FAILED at {self.failed_step} after {self.seconds:.1f} s"
        parts = [
            f"{word} in {step.seconds:.1f} s, "
            f"lower bound {step.least or 0:.1f} s, ratio {self.ratio(name) or 0:.2f}"
            for name, word in (("notified", "notified"), ("cleared", "cleared"))
            if (step := self.step(name))
        ]
        return f"{self.alert}: passed; {'; '.join(parts)}; {self.seconds:.0f} s in all"
