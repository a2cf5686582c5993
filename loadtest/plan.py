"""What one load run will do, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest.kinds import Kind
from loadtest.shapes import Run

MOST_USERS = 2_000


@dataclass(frozen=True)
class Plan:
    """What will be run: the run, each kind with its part of the rate, the hosts and the folder of reports."""

    run: Run
    kinds: Mapping[Kind, float]
    urls: Mapping[str, str]
    seed: int
    folder: Path
    ui_port: int | None

    def users(self, second: float) -> int:
        """How many users carry the rate of a moment, looking ahead far enough to have them in time."""
        rate = max(self.run.rate_at(min(second + ahead, self.run.end)) for ahead in (0.0, 2.5, 5.0))
        return min(MOST_USERS, sum(kind.users(rate * part) for kind, part in self.kinds.items()))

    def as_dict(self) -> dict[str, object]:
        """The plan as its line tells it; rates in requests a second."""
        steps = [{"start": step.start, "end": step.end, "rate": step.rate} for step in self.run.steps]
        return {
            "shape": self.run.shape.name,
            "seconds": self.run.end,
            "rate": self.run.rate,
            "users": self.users(self.run.end),
            "kinds": {kind.name: round(part, 4) for kind, part in self.kinds.items()},
            "steps": steps,
            "triggers": list(self.run.shape.triggers),
            "may_trigger": list(self.run.shape.may_trigger),
            "judged": self.run.judged,
            "ui_port": self.ui_port,
        }
