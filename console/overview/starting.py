"""What is still building or starting, or does not come up: from the local runtime's own state."""

from dataclasses import dataclass
from pathlib import Path

from firedrill.local.records import BAD, UP, ServiceState, read_state

STATE_FILE = "state.json"
_LONGEST_DETAIL = 160


@dataclass(frozen=True)
class Pending:
    """A component that is not ready; `since` in unix seconds, `progress` of a build from 0 to 1."""

    name: str
    phase: str
    detail: str
    since: float
    progress: float | None
    bad: bool


@dataclass(frozen=True)
class Startup:
    """How far the stack is: how many of its components are ready, what is not, and what was left out."""

    ready: int
    total: int
    pending: tuple[Pending, ...]
    left_out: tuple[tuple[str, str], ...]


def startup(state: Path | None) -> Startup | None:
    """The local runtime's state; None with docker, or where it cannot be read."""
    found = read_state(state / STATE_FILE) if state is not None else None
    if found is None:
        return None
    others = {name: one for name, one in found.services.items() if name != "console"}
    waiting = tuple(_pending(name, one) for name, one in others.items() if one.phase not in UP)
    left_out = tuple(sorted(found.left_out.items()))
    return Startup(len(others) - len(waiting), len(others), waiting, left_out)


def _pending(name: str, one: ServiceState) -> Pending:
    detail = " ".join(one.detail.split())[:_LONGEST_DETAIL]
    progress = one.progress if one.phase == "building" else None
    return Pending(name, one.phase, detail, one.since, progress, one.phase in BAD)
