"""What the supervisor writes for others to read: the state of each service, milestones and build times."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Phase = Literal[
    "waiting", "building", "build failed", "starting", "ready", "unready", "failing", "held", "stopping",
    "stopped", "finished",
]  # fmt: skip
UP: frozenset[str] = frozenset({"ready", "finished"})
BAD: frozenset[str] = frozenset({"build failed", "failing", "unready"})


@dataclass(frozen=True)
class ServiceState:
    """One service now; `since` is since the epoch, all in seconds; `progress` is 0 to 1 of a build."""

    name: str
    phase: Phase = "waiting"
    since: float = 0.0
    detail: str = ""
    pid: int | None = None
    restarts: int = 0
    progress: float | None = None
    build_seconds: float | None = None
    start_seconds: float | None = None
    ready_after: float | None = None


@dataclass(frozen=True)
class StackState:
    """The whole stack as state.json holds it; `began` is since the epoch, milestones since `began`."""

    instance: str
    status: Literal["preparing", "running", "stopping", "stopped", "failed"]
    project: str
    pace: str
    began: float
    supervisor_pid: int
    supervisor_born: float
    services: Mapping[str, ServiceState] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    milestones: Mapping[str, float] = field(default_factory=dict)
    failure: tuple[str, str, str] | None = None


def write_json(path: Path, data: object, *, mode: int = 0o600) -> None:
    """Replace `path` at once, so that no reader sees half of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(data, stream)
    part.replace(path)


def read_json(path: Path) -> Any:
    """The content of `path`, or None when it is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_state(path: Path, state: StackState) -> None:
    """Replace state.json."""
    write_json(path, asdict(state))


def read_state(path: Path) -> StackState | None:
    """The last state written, or None when there is none or it is of another version."""
    data = read_json(path)
    if not isinstance(data, dict):
        return None
    try:
        services = {name: ServiceState(**entry) for name, entry in data.pop("services").items()}
        shows, failure = tuple(data.pop("shows")), data.pop("failure")
        known = {key: value for key, value in data.items() if key in StackState.__dataclass_fields__}
        failure = tuple(failure) if failure else None
        return StackState(**known, services=services, shows=shows, failure=failure)
    except (KeyError, TypeError, AttributeError):
        return None
