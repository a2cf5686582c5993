"""Hand-written stand-ins for what judgment needs of the world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.judgment.catalogue import WORKFLOWS
from services.judgment.domain import (
    CacheUnavailableError,
    Execution,
    Filter,
    Opinion,
    Reply,
    StoreUnavailableError,
    Value,
)
from services.judgment.rules import Workflow

AGREES = '{"verdict": "approved", "confidence": 0.9, "explanation": "fine"}'
GARBAGE = "Sure! Here is"


@dataclass
class FakeBook:
    """The seeded workflows, or `error`."""

    error: Exception | None = None

    async def workflow(self, workflow_id: str) -> Workflow:
        """The workflow."""
        if self.error:
            raise self.error
        return WORKFLOWS[workflow_id]


@dataclass
class FakeLlm:
    """Gives the replies in order, the last one for ever; an exception among them is raised."""

    replies: list[str | Exception] = field(default_factory=lambda: [AGREES])
    asked: list[str] = field(default_factory=list)

    async def ask(self, model: str, workflow: Workflow, case: Mapping[str, Value]) -> Reply:
        """The next reply, for a cent."""
        self.asked.append(model)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return Reply(reply, 0.01)


@dataclass
class FakeCache:
    """A dictionary, or out of order while `broken`."""

    broken: bool = False
    kept: dict[str, Opinion] = field(default_factory=dict)

    async def get(self, key: str) -> Opinion | None:
        """What was kept."""
        self._check()
        return self.kept.get(key)

    async def put(self, key: str, opinion: Opinion) -> None:
        """Keep it."""
        self._check()
        self.kept[key] = opinion

    def _check(self) -> None:
        if self.broken:
            raise CacheUnavailableError("ConnectionError")


@dataclass
class FakeStore:
    """A list, or out of order while `broken`."""

    broken: bool = False
    kept: list[Execution] = field(default_factory=list)

    async def save(self, execution: Execution) -> None:
        """Keep it."""
        self._check()
        self.kept.append(execution)

    async def get(self, execution_id: str) -> Execution | None:
        """What was kept."""
        self._check()
        return next((each for each in self.kept if each.id == execution_id), None)

    async def find(self, wanted: Filter) -> Sequence[Execution]:
        """The newest, whatever their status."""
        self._check()
        return [e for e in self.kept[::-1] if wanted.tenant_id in {None, e.tenant_id}][: wanted.limit]

    def _check(self) -> None:
        if self.broken:
            raise StoreUnavailableError("ConnectionRefusedError")


@dataclass
class FakeSwitch:
    """The faults that are set, by name."""

    set: dict[str, Mapping[str, float | int | str]] = field(default_factory=dict)

    def active(self, name: str) -> Mapping[str, float | int | str] | None:
        """The parameters, or None."""
        return self.set.get(name)


class Naps:
    """Counts the seconds that would have been slept."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Sleep not at all."""
        self.taken.append(seconds)
