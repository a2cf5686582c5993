"""An incident as its slice declares it: what breaks, the page, the questions, and an expert's path."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Value = float | int | str

WHERE, CAUSE, SINCE = "where", "cause", "since"
QUESTIONS: Final = (WHERE, CAUSE, SINCE)
ACKNOWLEDGE: Final = "acknowledge"  # an action that every incident has: the trainee takes the page
LEVELS: Final = (1, 2, 3)
LINKS: Final = ("board", "logs", "traces", "metrics", "runbook", "page")

LinkKind = Literal["board", "logs", "traces", "metrics", "runbook", "page"]


@dataclass(frozen=True)
class ServiceFault:
    """A fault of a service's switch; each parameter has the values that a seed may choose from."""

    service: str
    name: str
    parameters: Mapping[str, tuple[Value, ...]]

    @property
    def full_name(self) -> str:
        """service/name, as the commands take it."""
        return f"{self.service}/{self.name}"


@dataclass(frozen=True)
class StoppedProcess:
    """A service of docker-compose.yml that is stopped and held down; the local runtime alone can do it."""

    process: str

    @property
    def full_name(self) -> str:
        """What is told of it at the end."""
        return f"{self.process} was stopped"


Breakage = ServiceFault | StoppedProcess


@dataclass(frozen=True)
class Traffic:
    """Requests a second of a stream of loadtest.drill, where the background is not enough."""

    target: str
    rate: float


@dataclass(frozen=True)
class Choice:
    """One of the answers on offer; `says` is told when it was chosen."""

    id: str
    text: str
    right: bool
    says: str


@dataclass(frozen=True)
class Question:
    """A question with choices, of which exactly one is right."""

    id: str
    text: str
    choices: tuple[Choice, ...]

    @property
    def right(self) -> Choice:
        """The right one."""
        return next(choice for choice in self.choices if choice.right)


@dataclass(frozen=True)
class SinceQuestion:
    """Since when: a time, taken as right within `tolerance` seconds (demo pace)."""

    text: str
    tolerance: float


@dataclass(frozen=True)
class Action:
    """Something that the trainee may do; one that does not heal costs points."""

    id: str
    text: str
    heals: bool
    cost: int
    says: str


@dataclass(frozen=True)
class Hint:
    """A help that costs points."""

    text: str
    cost: int


@dataclass(frozen=True)
class Step:
    """One step of the expert's path, and why; `link` leads to where it is done, by kind."""

    do: str
    why: str
    kind: LinkKind
    link: str


@dataclass(frozen=True)
class Limits:
    """Seconds at demo pace: fault to page, page to solution, solution to the end of the alert."""

    page: float
    solve: float
    clear: float


@dataclass(frozen=True)
class Incident:
    """One guided incident; `misleads` says why the loudest alert was not the cause, or is empty."""

    file: Path
    slice: str
    title: str
    story: str
    level: int
    page: tuple[str, ...]
    alerts: frozenset[str]
    breakages: tuple[Breakage, ...]
    traffic: tuple[Traffic, ...]
    begins_after: tuple[float, float]
    limits: Limits
    questions: tuple[Question, ...]
    since: SinceQuestion
    actions: tuple[Action, ...]
    hints: tuple[Hint, ...]
    path: tuple[Step, ...]
    lesson: str
    loudest: str = ""
    misleads: str = ""

    @property
    def name(self) -> str:
        """Slice and file: two slices may have an incident of one name."""
        return f"{self.slice}/{self.file.stem}"

    @property
    def stops_processes(self) -> bool:
        """Whether it needs a runtime that can stop a process."""
        return any(isinstance(one, StoppedProcess) for one in self.breakages)

    def question(self, name: str) -> Question | None:
        """The question with choices of that id."""
        return next((one for one in self.questions if one.id == name), None)

    def action(self, name: str) -> Action | None:
        """The action of that id."""
        return next((one for one in self.actions if one.id == name), None)
