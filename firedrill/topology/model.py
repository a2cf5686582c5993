"""What docker-compose.yml says, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]
MountKind = Literal["bind", "volume", "tmpfs"]


@dataclass(frozen=True)
class Port:
    """A port of a service; `variable` is the setting that moves the published side, if there is one."""

    container: int
    host: int
    variable: str | None = None


@dataclass(frozen=True)
class Mount:
    """A path in the container and what stands behind it; `source` is empty for a tmpfs."""

    kind: MountKind
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Dependency:
    """A service that must have come so far before this one starts."""

    service: str
    condition: Condition = "service_started"
    required: bool = True


@dataclass(frozen=True)
class Ready:
    """How to ask a component whether it is ready; `port` is the container's."""

    scheme: Literal["http", "tcp"]
    port: int
    path: str = "/"


@dataclass(frozen=True)
class Hints:
    """`x-firedrill`: what an image gives in docker and the local runtime must be told."""

    binary: str | None = None
    component: str | None = None
    python: bool = False
    system: Literal["postgres", "redis"] | None = None
    ready: Ready | None = None
    local: str | None = None
    drop_environment: tuple[str, ...] = ()
    shows: str | None = None


@dataclass(frozen=True)
class Service:
    """One service of docker-compose.yml; times in seconds."""

    name: str
    line: int
    hints: Hints
    image: str = ""
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    restart: str = "no"
    profiles: tuple[str, ...] = ()
    stop_grace_seconds: float = 10.0
    stop_signal: str | None = None


@dataclass(frozen=True)
class Topology:
    """The whole file."""

    path: Path
    name: str
    services: Mapping[str, Service]
    volumes: frozenset[str]
